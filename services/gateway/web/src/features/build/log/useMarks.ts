/** The marks of a build's log in React: what the server finds, what its analysis found, and what passes by while it runs. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useReducer, useRef, useState } from 'react'
import type { LogStore } from '@/features/build/log/model/log-store'
import { Marks } from '@/features/build/log/model/marks'
import { SEARCHED, severityOf, type Severity } from '@/features/build/log/model/severity'
import { useApp } from '@/shared/api/app-context'
import { begunWith } from '@/shared/format/ansi'
import { isFinal, type Build, type LogSearch } from '@/shared/wire'

/** Hits of one answer; what lies beyond the last of them is shown as not searched. */
const HITS_AT_ONCE = 5000
/** Longer logs are searched when the reader asks for the next error, not on sight. */
const SEARCHED_ON_SIGHT = 300_000
/** How much of what just came in is looked at for marks: what pours in faster is found by the search at the end. */
const LIVE_LINES = 400

export interface Errors {
  marks: Marks
  /** The error gone to last. */
  line: number | undefined
  /** Which mark one stands at, from 1; 0 where that is none. */
  at: number
  total: number
  isExact: boolean
  isBusy: boolean
  /** Goes to the next (1) or previous (-1) error. */
  step: (direction: 1 | -1) => void
}

/** `current` gives where the reader is, given the line they were taken to last. */
export function useMarks(
  build: Build,
  store: LogStore,
  current: (place: number) => number,
  goTo: (line: number) => void,
): Errors {
  const [marks] = useState(() => new Marks())
  const [, redraw] = useReducer((drawn: number) => drawn + 1, 0)
  const [isAsked, ask] = useState(false)
  const [place, setPlace] = useState(0)
  // The lines themselves come first.
  const isSearched = isAsked || (store.isOpen && isFinal(build.status) && build.logLines <= SEARCHED_ON_SIGHT)
  const errors = useSeverity(build, 'error', isSearched)
  const warnings = useSeverity(build, 'warning', isSearched)
  useLiveMarks(store, marks)

  const failed = build.firstFailure?.firstLine
  useEffect(() => {
    if (failed !== undefined) marks.add('error', failed)
    for (const { search, severity } of [errors, warnings]) {
      for (const page of search.data?.pages ?? []) for (const { line } of page.hits) marks.add(severity, line)
      const last = search.data?.pages.at(-1)
      marks.knownUpTo[severity] = last === undefined ? 1 : (last.nextFirst ?? Infinity)
    }
    redraw()
    // The objects of a search are new with every drawing; its data is new when it changed.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [marks, failed, errors.search.data, warnings.search.data])

  // A step that leads beyond what was searched waits for more of it.
  const waiting = useRef<1 | -1>(undefined)
  function step(direction: 1 | -1): void {
    const from = current(place)
    const next = marks.next('error', from, direction)
    const knownUpTo = errors.search.data?.pages.at(-1)?.nextFirst ?? (errors.search.isSuccess ? Infinity : 0)
    const isKnown = direction === 1 ? (next ?? Infinity) < knownUpTo : from <= knownUpTo
    if (isKnown) return arrive(next)
    if (!isSearched) ask(true)
    else if (errors.search.isError) return arrive(next)
    else if (errors.search.hasNextPage && !errors.search.isFetching) void errors.search.fetchNextPage()
    waiting.current = direction
  }
  function arrive(line: number | undefined): void {
    waiting.current = undefined
    if (line === undefined) return
    setPlace(line)
    goTo(line)
  }
  useEffect(() => {
    if (waiting.current !== undefined && !errors.search.isFetching) step(waiting.current)
    // Tried again when an answer came, and not when the caller is drawn again.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [errors.search.dataUpdatedAt, errors.search.isError])

  const known = marks.of('error')
  return {
    marks,
    line: place === 0 ? undefined : place,
    at: marks.placeOf('error', place),
    total: Math.max(known.length, errors.search.data?.pages.at(-1)?.totalHits ?? 0),
    isExact: errors.search.data?.pages.at(-1)?.totalIsExact ?? false,
    isBusy: waiting.current !== undefined,
    step,
  }
}

function useSeverity(build: Build, severity: Severity, isSearched: boolean) {
  const { api } = useApp()
  const search = useInfiniteQuery({
    // A running build's log grows: asked again, it is read again.
    queryKey: ['log-marks', build.id, severity, isFinal(build.status)],
    queryFn: ({ pageParam, signal }) =>
      api.get<LogSearch>(
        `/builds/${build.id}/logs`,
        { q: SEARCHED[severity], regex: true, case: true, first: pageParam, count: HITS_AT_ONCE },
        signal,
      ),
    initialPageParam: 1,
    getNextPageParam: (last) => last.nextFirst ?? undefined,
    enabled: isSearched,
  })
  return { search, severity }
}

/** Looks at the newest lines as they come in. */
function useLiveMarks(store: LogStore, marks: Marks): void {
  const seen = useRef(0)
  const { total } = store
  useEffect(() => {
    for (let line = Math.max(seen.current + 1, total - LIVE_LINES); line <= total; line++) {
      const text = store.line(line)?.text
      if (text === undefined) continue
      const severity = severityOf(begunWith(text))
      if (severity !== undefined) marks.add(severity, line)
    }
    seen.current = total
  }, [store, marks, total])
}
