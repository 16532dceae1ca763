/** Queries: which builds one is likely to be compared with. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { BuildDetail, BuildList } from '@/shared/wire'

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
