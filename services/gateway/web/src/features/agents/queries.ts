/** Queries: how the pages read agents. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { AgentList } from '@/shared/wire'

/** Agents are not pushed: they are asked for as often as they report themselves. */
const EVERY_MS = 10_000

export function useAgents() {
  const { api } = useApp()
  return useQuery({
    queryKey: ['agents'],
    queryFn: ({ signal }) => api.get<AgentList>('/agents', {}, signal),
    refetchInterval: EVERY_MS,
  })
}
