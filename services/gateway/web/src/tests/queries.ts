/** Queries: how the tests page reads what history knows of tests. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { useApp } from '../app/app-context'
import { HISTORY, useRead } from '../history/queries'
import type { TestHistory, TestList } from '../wire'

export type TestOrder = 'failing' | 'flaky' | 'slowest' | 'name'

export function useTestList(
  project: string | undefined,
  branch: string | undefined,
  sort: TestOrder,
  text: string | undefined,
) {
  const { api } = useApp()
  const params = { project, branch, sort, q: text, limit: 100 }
  return useInfiniteQuery({
    queryKey: [HISTORY, '/tests', params],
    queryFn: ({ pageParam, signal }) => api.get<TestList>('/tests', { ...params, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.nextCursor ?? undefined,
    placeholderData: (previous) => previous,
    enabled: project !== undefined,
  })
}

export function useTestHistory(project: string | undefined, branch: string | undefined, name: string) {
  return useRead<TestHistory>('/tests/history', { project, branch, name }, project !== undefined)
}
