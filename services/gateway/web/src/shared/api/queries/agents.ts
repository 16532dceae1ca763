/** Queries: how the pages read agents. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { AgentList } from '@/shared/wire'

/** Agents are not pushed: they are asked for as often as they report themselves. */
const EVERY_MS = 10_000

export function useAgents(isAsked = true) {
  const { api } = useApp()
  return useQuery({
    queryKey: ['agents'],
    queryFn: ({ signal }) => api.get<AgentList>('/agents', {}, signal),
    refetchInterval: EVERY_MS,
    enabled: isAsked,
  })
}

/** Whether an agent is connected that builds a project when it is asked to; undefined while that is not known. */
export function useIsServed(project: string): boolean | undefined {
  const agents = useAgents().data?.items
  return agents?.some(
    ({ connected, serves, unbuildable }) =>
      connected && serves.includes(project) && unbuildable.every((each) => each.project !== project),
  )
}
