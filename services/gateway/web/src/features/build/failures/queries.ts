/** Queries: how the failures of a build are read, and whose they are. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import { useRead } from '@/shared/api/queries/history'
import type { Build, FailureData, Failures, JudgedFailure } from '@/shared/wire'

export function useFailures(build: Build) {
  const { api } = useApp()
  return useQuery({
    // The count and the status are in the pushed row: when they change, there is something else to read.
    queryKey: ['failures', build.id, build.status, build.failureCount],
    queryFn: ({ signal }) => api.get<Failures>(`/builds/${build.id}/failures`, {}, signal),
    placeholderData: (previous) => previous,
  })
}

/** How a failure of a build is judged now; asked as soon as the failure is seen, while the build runs. */
export function useVerdict(build: Build, failure: FailureData) {
  const { id, project, branch, config, commit } = build
  const { signature, category, fault } = failure
  const place = { project, branch: branch ?? undefined, config, commit: commit ?? undefined, buildId: id }
  const what = { signature: signature ?? undefined, category, fault: fault ?? undefined }
  return useRead<JudgedFailure>('/history/verdict', { ...place, ...what }, signature != null)
}
