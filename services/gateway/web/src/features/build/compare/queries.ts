/** Queries: which builds one is likely to be compared with, and what its log has that green ones have not. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import { isFinal, type Build, type BuildDetail, type BuildList, type LogNews } from '@/shared/wire'

/** The builds one is likely to be compared with: its configuration's latest, on its branch. */
export function useSiblings(build: BuildDetail) {
  const { api } = useApp()
  const { project, branch, config } = build
  return useQuery({
    queryKey: ['builds', 'siblings', project, branch, config],
    queryFn: ({ signal }) =>
      api.get<BuildList>('/builds', { project, branch: branch ?? undefined, config, limit: 50 }, signal),
  })
}

const NEW_LINES = 100

/** A log that grows is read again as often as the tab is opened, not with each of its lines. */
export function useLogNews(build: Build) {
  const { api } = useApp()
  return useQuery({
    queryKey: ['builds', build.id, 'news', isFinal(build.status)],
    queryFn: ({ signal }) => api.get<LogNews>(`/builds/${build.id}/logs/news`, { count: NEW_LINES }, signal),
    staleTime: isFinal(build.status) ? Infinity : 0,
  })
}
