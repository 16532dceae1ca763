/** Queries: a few lines of a build's log, and the failure they belong to, for pages beside the build's own. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { Failures, LogPage } from '@/shared/wire'

/** Lines that are stored never change. */
export function useLines(buildId: string, first: number, count: number, isAsked = true) {
  const { api } = useApp()
  return useQuery({
    queryKey: ['lines', buildId, first, count],
    queryFn: ({ signal }) => api.get<LogPage>(`/builds/${buildId}/logs`, { first, count, format: 'json' }, signal),
    staleTime: Infinity,
    enabled: isAsked,
  })
}

/** Where a build shows the failure of a signature; undefined where it has none of it, or that is not known yet. */
export function useFailureOf(buildId: string | undefined, signature: string) {
  const { api } = useApp()
  const read = useQuery({
    queryKey: ['failures', buildId],
    queryFn: ({ signal }) => api.get<Failures>(`/builds/${buildId}/failures`, {}, signal),
    enabled: buildId !== undefined,
  })
  return read.data?.items?.find((failure) => failure.signature === signature)
}
