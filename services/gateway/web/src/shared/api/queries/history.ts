/** Queries: how the pages read history. Their keys begin with `history`: a build that ends makes them old. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { Params } from '@/shared/api/client'
import type { FailureGroupNow, IncidentList, Summary } from '@/shared/wire'
import { PAGED } from './pages'

export const HISTORY = 'history'

export function useSummary() {
  return useRead<Summary>('/history/summary')
}

export function useOpenIncidents(project?: string, branch?: string) {
  return useRead<IncidentList>('/incidents', { project, branch, state: 'open', limit: 100 })
}

/** One failure over all projects (or in one), and where it is red now. */
export function useFailureGroup(signature: string, project?: string, isAsked = true) {
  return useRead<FailureGroupNow>(`/failures/${encodeURIComponent(signature)}`, { project }, isAsked)
}

/** One answer of history, read again when history changed. */
export function useRead<T>(path: string, params: Params = {}, isAsked = true) {
  const { api } = useApp()
  return useQuery({
    queryKey: [HISTORY, path, params],
    queryFn: ({ signal }) => api.get<T>(path, params, signal),
    enabled: isAsked,
  })
}

/** One list of history, page by page. */
export function usePages<T extends { nextCursor?: string | null }>(path: string, params: Params, isAsked = true) {
  const { api } = useApp()
  return useInfiniteQuery({
    queryKey: [HISTORY, path, params],
    queryFn: ({ pageParam, signal }) => api.get<T>(path, { ...params, cursor: pageParam }, signal),
    ...PAGED,
    enabled: isAsked,
  })
}
