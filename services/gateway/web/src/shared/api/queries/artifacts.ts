/** What a build keeps, for its own page and for the incident it opened. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { ArtifactList, ArtifactView } from '@/shared/wire'

/** An artifact that is refused is not pushed: while one is under way the list is read again this often. */
const LIVE_MS = 5000

const ON_THE_WAY = new Set<ArtifactView['state']>(['pending', 'uploading', 'reported'])

/** Read again when an artifact is uploaded or ready, which is pushed. */
export function useArtifacts(buildId: string) {
  const { api } = useApp()
  return useQuery({
    queryKey: ['artifacts', buildId],
    queryFn: ({ signal }) => api.get<ArtifactList>(`/builds/${buildId}/artifacts`, {}, signal),
    refetchInterval: (query) => (query.state.data?.items.some(({ state }) => ON_THE_WAY.has(state)) ? LIVE_MS : false),
  })
}
