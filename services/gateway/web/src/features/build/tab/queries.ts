/** Queries: how the tabs of a build's page read what is not in its row. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import {
  isFinal,
  type ArtifactList,
  type Build,
  type BuildDetail,
  type BuildList,
  type Failures,
  type TestPage,
} from '@/shared/wire'
import type { TestFilter } from '@/features/build/tests/test-filter'

/** What a running build's tabs show is read again this often. */
const LIVE_MS = 5000
const TESTS_AT_ONCE = 200

export function useFailures(build: Build) {
  const { api } = useApp()
  return useQuery({
    // The count and the status are in the pushed row: when they change, there is something else to read.
    queryKey: ['failures', build.id, build.status, build.failureCount],
    queryFn: ({ signal }) => api.get<Failures>(`/builds/${build.id}/failures`, {}, signal),
    placeholderData: (previous) => previous,
  })
}

export function useTests(build: Build, { outcomes, text, sort }: TestFilter) {
  const { api } = useApp()
  return useInfiniteQuery({
    queryKey: ['tests', build.id, build.status, outcomes, text, sort],
    queryFn: ({ pageParam, signal }) =>
      api.get<TestPage>(
        `/builds/${build.id}/tests`,
        { outcome: outcomes, q: text, sort, limit: TESTS_AT_ONCE, cursor: pageParam },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    placeholderData: (previous) => previous,
    refetchInterval: isFinal(build.status) ? false : LIVE_MS,
  })
}

export function useArtifacts(build: Build) {
  const { api } = useApp()
  return useQuery({
    queryKey: ['artifacts', build.id, build.status],
    queryFn: ({ signal }) => api.get<ArtifactList>(`/builds/${build.id}/artifacts`, {}, signal),
    placeholderData: (previous) => previous,
    // What is uploaded last is verified after the build has ended.
    refetchInterval: (query) =>
      !isFinal(build.status) ||
      query.state.data?.items.some(({ state }) => state === 'pending' || state === 'uploading')
        ? LIVE_MS
        : false,
  })
}

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
