/** Queries: how the artifacts of a build are read. */
import { useQuery } from '@tanstack/react-query'
import { rereadEvery } from '@/features/build/tab/freshness'
import { useApp } from '@/shared/api/app-context'
import type { ArtifactList, Build } from '@/shared/wire'

export function useArtifacts(build: Build) {
  const { api } = useApp()
  return useQuery({
    queryKey: ['artifacts', build.id, build.status],
    queryFn: ({ signal }) => api.get<ArtifactList>(`/builds/${build.id}/artifacts`, {}, signal),
    placeholderData: (previous) => previous,
    // What is uploaded last is verified after the build has ended.
    refetchInterval: ({ state: { data } }) =>
      rereadEvery(
        build,
        data?.items.some(({ state }) => state === 'pending' || state === 'uploading'),
      ),
  })
}
