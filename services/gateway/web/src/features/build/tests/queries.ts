/** Queries: how the test results of a build are read. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { rereadEvery } from '@/features/build/tab/freshness'
import { useApp } from '@/shared/api/app-context'
import { PAGED } from '@/shared/api/queries/pages'
import type { Build, TestPage } from '@/shared/wire'
import type { TestFilter } from './test-filter'

const TESTS_AT_ONCE = 200

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
    ...PAGED,
    placeholderData: (previous) => previous,
    refetchInterval: rereadEvery(build),
  })
}
