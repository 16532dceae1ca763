/** Queries: how the tests page reads what history knows of tests. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { PARTS, type Named } from '@/shared/address/choice'
import { useApp } from '@/shared/api/app-context'
import { HISTORY, useRead } from '@/shared/api/queries/history'
import { PAGED } from '@/shared/api/queries/pages'
import type { TestHistory, TestList } from '@/shared/wire'

export type TestOrder = 'failing' | 'flaky' | 'slowest' | 'name'

export function useTestList({ project, branch, config }: Named, sort: TestOrder, text: string | undefined) {
  const { api } = useApp()
  const params = { project, branch, config, sort, q: text, limit: 100 }
  return useInfiniteQuery({
    queryKey: [HISTORY, '/tests', params],
    queryFn: ({ pageParam, signal }) => api.get<TestList>('/tests', { ...params, cursor: pageParam }, signal),
    ...PAGED,
    // Another order or search of the same tests; what another branch brought is never shown under this one's name.
    placeholderData: (previous, query) =>
      isOf({ project, branch, config }, query?.queryKey[2]) ? previous : undefined,
    enabled: project !== undefined && branch !== undefined,
  })
}

function isOf(named: Named, params: unknown): boolean {
  const before = (params ?? {}) as Named
  return PARTS.every((part) => before[part] === named[part])
}

export function useTestHistory({ project, branch, config }: Named, name: string) {
  const isNamed = project !== undefined && branch !== undefined
  return useRead<TestHistory>('/tests/history', { project, branch, config, name }, isNamed)
}
