/** Queries: how the pages read builds by REST. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useApp, type App } from '@/shared/api/app-context'
import type { Params } from '@/shared/api/client'
import type { Filter } from '@/shared/live/rows'
import type { BuildDetail, BuildList } from '@/shared/wire'
import { PAGED } from './pages'

const PAGE_BUILDS = 50

export function useBuildList({ project, branch, status, text }: Filter) {
  const app = useApp()
  return useInfiniteQuery({
    queryKey: ['builds', project, branch, status, text],
    queryFn: ({ pageParam, signal }) =>
      readBuilds(app, { project, branch, status, q: text, limit: PAGE_BUILDS, cursor: pageParam }, signal),
    ...PAGED,
    placeholderData: (previous) => previous,
  })
}

/** What runs now, however long ago it started; a page of the list holds the latest starts only. */
export function useRunningBuilds({ project, branch, text }: Filter) {
  const app = useApp()
  return useQuery({
    queryKey: ['builds', 'running', project, branch, text],
    queryFn: ({ signal }) =>
      readBuilds(app, { project, branch, q: text, status: ['queued', 'running'], limit: 200 }, signal),
    placeholderData: (previous) => previous,
  })
}

export function useBuildDetail(id: string) {
  const { api } = useApp()
  return useQuery({
    queryKey: ['build', id],
    queryFn: ({ signal }) => api.get<BuildDetail>(`/builds/${encodeURIComponent(id)}`, {}, signal),
  })
}

/** All that answer to a name. */
export function useBuildsNamed(digits: string) {
  const app = useApp()
  return useQuery({
    queryKey: ['builds', 'named', digits],
    queryFn: ({ signal }) => readBuilds(app, { id: digits, limit: PAGE_BUILDS }, signal),
  })
}

/** Reads builds, and adds them to the row store: what counts builds counts those nobody has pushed yet too. */
export async function readBuilds({ api, rows }: App, params: Params, signal: AbortSignal): Promise<BuildList> {
  const list = await api.get<BuildList>('/builds', params, signal)
  for (const build of list.items) rows.push(build)
  return list
}
