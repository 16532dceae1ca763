/** Log search: hits found by the server, read page by page as they are stepped through. */
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import type { LogSearch } from '@/shared/wire'

const HITS_AT_ONCE = 500

export interface Search {
  query: string
  setQuery: (query: string) => void
  /** The line of the hit one stands at. */
  line: number | undefined
  /** Which hit that is, from 1; 0 while there is none. */
  at: number
  total: number
  isExact: boolean
  isBusy: boolean
  isFailed: boolean
  /** Goes to the next (1) or previous (-1) hit, around the ends. */
  step: (by: number) => void
}

export function useLogSearch(buildId: string, onHit: (line: number) => void): Search {
  const { api } = useApp()
  const [query, setQuery] = useState('')
  const [at, setAt] = useState(0)
  const search = useInfiniteQuery({
    queryKey: ['log-search', buildId, query],
    queryFn: ({ pageParam, signal }) =>
      api.get<LogSearch>(`/builds/${buildId}/logs`, { q: query, first: pageParam, count: HITS_AT_ONCE }, signal),
    initialPageParam: 1,
    getNextPageParam: (last) => last.nextFirst ?? undefined,
    enabled: query !== '',
    placeholderData: keepPreviousData,
  })
  const pages = query === '' ? undefined : search.data?.pages
  const hits = pages?.flatMap((page) => page.hits) ?? []
  const total = Math.max(hits.length, pages?.at(-1)?.totalHits ?? 0)
  const line = hits[at]?.line
  const isSettled = !search.isPlaceholderData

  useEffect(() => setAt(0), [query])
  useEffect(() => {
    if (line !== undefined && isSettled) onHit(line)
    // A hit is gone to when it becomes the current one, not whenever the caller is drawn again.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [line, query, isSettled])

  function step(by: number): void {
    if (hits.length === 0) return
    const next = at + by
    if (next >= hits.length && search.hasNextPage) {
      if (!search.isFetchingNextPage) void search.fetchNextPage().then(() => setAt(next))
      return
    }
    setAt((next + hits.length) % hits.length)
  }

  return {
    query,
    setQuery,
    line,
    at: hits.length === 0 ? 0 : at + 1,
    total,
    isExact: pages?.at(-1)?.totalIsExact ?? true,
    isBusy: search.isFetching,
    isFailed: search.isError,
    step,
  }
}
