/** Queries: how the pages read what history tells. Their keys begin with `history`: a build that ends makes them old. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { Params } from '@/shared/api/client'
import { useApp } from '@/shared/api/app-context'
import type {
  Build,
  CommitAnswer,
  CommitList,
  FailureData,
  FailureGroup,
  FailureGroupList,
  JudgedFailure,
  Grid,
  IncidentList,
  PinList,
  Summary,
  TrendList,
} from '@/shared/wire'
import type { Named } from '@/shared/address/choice'

export const HISTORY = 'history'

export function useSummary() {
  return useRead<Summary>('/history/summary')
}

export function useOpenIncidents(project?: string, branch?: string) {
  return useRead<IncidentList>('/incidents', { project, branch, state: 'open', limit: 100 })
}

export function usePins() {
  return useRead<PinList>('/pins')
}

/** Of one branch: asked for when the address says which. */
export function useTrends({ project, branch, config }: Named, days: number) {
  const isNamed = project !== undefined && branch !== undefined
  return useRead<TrendList>('/history/trends', { project, branch, config, days }, isNamed)
}

export function useFailureGroup(signature: string, project: string | undefined) {
  return useRead<FailureGroup>(`/failures/${encodeURIComponent(signature)}`, { project })
}

/** How a failure of a build is judged now; asked as soon as the failure is seen, while the build runs. */
export function useVerdict(build: Build, failure: FailureData) {
  const { id, project, branch, config, commit } = build
  const { signature, category, fault } = failure
  const place = { project, branch: branch ?? undefined, config, commit: commit ?? undefined, buildId: id }
  const what = { signature: signature ?? undefined, category, fault: fault ?? undefined }
  return useRead<JudgedFailure>('/history/verdict', { ...place, ...what }, signature != null)
}

export function useCommit(sha: string, project: string | undefined) {
  return useRead<CommitAnswer>(`/commits/${encodeURIComponent(sha)}`, { project })
}

export function useCommits(search: Params, isAsked: boolean) {
  return useRead<CommitList>('/commits', search, isAsked)
}

export function useGrid(project: string, branch: string, isAsked: boolean) {
  return usePages<Grid>('/history/grid', { project, branch, limit: 50 }, isAsked)
}

export function useFailureGroups(project: string | undefined) {
  return usePages<FailureGroupList>('/failures', { project, limit: 50 })
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

function usePages<T extends { nextCursor?: string | null }>(path: string, params: Params, isAsked = true) {
  const { api } = useApp()
  return useInfiniteQuery({
    queryKey: [HISTORY, path, params],
    queryFn: ({ pageParam, signal }) => api.get<T>(path, { ...params, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    enabled: isAsked,
  })
}
