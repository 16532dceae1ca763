/** Queries: one incident, and what people do about it. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { Api } from '@/shared/api/client'
import { HISTORY, useRead } from '@/shared/api/queries/history'
import type { Incident } from '@/shared/wire'

export function useIncident(id: string) {
  return useRead<Incident>(`/incidents/${encodeURIComponent(id)}`)
}

/** Does something about an incident; then everything of history is read again. */
export function useDeed(deed: (api: Api) => Promise<unknown>) {
  const { api } = useApp()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => deed(api),
    onSuccess: () => queries.invalidateQueries({ queryKey: [HISTORY] }),
  })
}
