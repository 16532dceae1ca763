/** Log view: a log of any length, live, of which only the lines on the screen are drawn. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState, type RefObject } from 'react'
import { useLocation, useNavigate } from 'react-router'
import { Viewport, type Place } from '@/features/build/log/model/viewport'
import { bytes, count } from '@/shared/format'
import { parseRange, rangeHash } from '@/shared/format/line-range'
import { keys, log } from '@/shared/i18n'
import { useShortcuts } from '@/shared/keyboard/useShortcuts'
import { SourceTree } from '@/shared/source/source-tree'
import { isFinal, type Build, type BuildDetail, type Gap } from '@/shared/wire'
import { LogRow } from './LogRow'
import { LogToolbar, type LogOptions } from './LogToolbar'
import classes from './LogView.module.css'
import { Minimap } from './Minimap'
import { SectionRow } from './SectionRow'
import { useFolds } from './useFolds'
import { useLogLayout } from './useLogLayout'
import { useLogSearch } from './useLogSearch'
import { useLogStore, useWholeLog } from './useLogStore'
import { useMarks } from './useMarks'

const ROW_PX = 19
const SETTLED_MS = 160

/** How a log was read when another tab was opened. */
export interface Reading {
  isFollowing: boolean
  place: Place
  folded: ReadonlySet<number>
  options: LogOptions
  /** The link to a line that was gone to last; empty: the first failure, or none. */
  linked: string | undefined
}

interface Props {
  build: BuildDetail
  /** Kept by the build's page while another tab is open. */
  reading: RefObject<Reading | undefined>
}

export function LogView({ build, reading }: Props) {
  const { hash } = useLocation()
  const navigate = useNavigate()
  const range = parseRange(hash)
  const [before] = useState(reading.current)
  const store = useLogStore(
    build.id,
    range?.first ?? (before === undefined ? firstLooked(build) : lookedAt(before, build)),
  )
  useWholeLog(store, build)
  const [viewport] = useState(() => {
    const isFollowing = before?.isFollowing ?? (range === undefined && opensAtEnd(build))
    return new Viewport(ROW_PX, isFollowing, before?.place)
  })
  const [, redraw] = useReducer((drawn: number) => drawn + 1, 0)
  const folds = useFolds(build, before?.folded)
  const tree = useSourceTree(build)
  const [options, setOptions] = useState(before?.options ?? { isWrapped: false, isTimed: false })
  const scroller = useRef<HTMLDivElement>(null)
  /** As the page was opened: a failure found while someone reads must not take them away. */
  const firstFailure = useRef(isFinal(build.status) ? build.firstFailure?.firstLine : undefined)
  const settling = useRef<ReturnType<typeof setTimeout>>(undefined)

  const goTo = (line: number) => {
    folds.reveal(line)
    viewport.goTo(line)
    redraw()
  }
  const goToEnd = () => {
    viewport.goToEnd()
    redraw()
  }
  const follow = (isFollowing: boolean) => {
    if (isFollowing) viewport.goToEnd()
    else viewport.letGo()
    redraw()
  }
  const fold = (first: number) => {
    viewport.hold(first)
    folds.toggle(first)
  }
  const search = useLogSearch(build.id, goTo)
  const isInSight = (line: number) => viewport.visible().first <= line && line <= viewport.visible().last
  const errors = useMarks(build, store, (place) => (isInSight(place) ? place : viewport.middle()), goTo)

  const layout = useLogLayout({ scroller, viewport, store, folds, gaps: build.gaps, ...options, redraw })
  const { first, last, offsetPx } = viewport.visible()
  useEffect(() => store.want(first, Math.min(last, Math.max(1, store.total))), [store, first, last, store.total])

  // A link to a line is gone to once, when the log is long enough to hold it; without one, the first failure is.
  const linked = useRef(before?.linked)
  useLayoutEffect(() => {
    const target = range?.first ?? (linked.current === undefined ? firstFailure.current : undefined)
    if (target === undefined || linked.current === hash || store.total < target) return
    linked.current = hash
    goTo(target)
  })
  useEffect(() => {
    const { isFollowing, place } = viewport
    reading.current = { isFollowing, place, folded: folds.folded, options, linked: linked.current }
  })

  function onScroll() {
    const element = scroller.current
    if (element === null) return
    if (viewport.moved(element.scrollTop, element.scrollHeight - element.clientHeight)) {
      clearTimeout(settling.current)
      settling.current = setTimeout(() => {
        viewport.settle()
        redraw()
      }, SETTLED_MS)
    }
    redraw()
  }

  const pick = useCallback(
    (line: number, isRange: boolean) => {
      const from = isRange ? (parseRange(location.hash)?.first ?? line) : line
      const next = rangeHash({ first: Math.min(from, line), last: Math.max(from, line) })
      linked.current = next
      viewport.hold(line)
      void navigate({ hash: next, search: location.search }, { replace: true, preventScrollReset: true })
    },
    [navigate, viewport],
  )

  useShortcuts([
    { keys: 'f', title: keys.follow, run: () => follow(!viewport.isFollowing) },
    { keys: 'w', title: keys.wrap, run: () => setOptions((now) => ({ ...now, isWrapped: !now.isWrapped })) },
    { keys: 't', title: keys.times, run: () => setOptions((now) => ({ ...now, isTimed: !now.isTimed })) },
    { keys: 'n', title: keys.nextHit, run: () => search.step(1) },
    { keys: 'N', title: keys.previousHit, run: () => search.step(-1) },
    { keys: ']', title: keys.nextError, run: () => errors.step(1) },
    { keys: '[', title: keys.previousError, run: () => errors.step(-1) },
    { keys: 'e', title: keys.nextError, run: () => errors.step(1) },
    { keys: 'E', title: keys.previousError, run: () => errors.step(-1) },
    { keys: 'z', title: keys.fold, run: folds.toggleAll },
    { keys: 'g g', title: keys.top, run: () => goTo(1) },
    { keys: 'G', title: keys.end, run: goToEnd },
  ])

  const numbers = store.total === 0 ? [] : viewport.rows.shown(first, last)
  const shownBefore = viewport.rows.shownBefore(first)
  // A line keeps its elements while in sight and hands them on when it leaves: making new ones is what costs.
  const slots = Math.ceil(viewport.mostDrawn / 64) * 64
  const notice = noticeOf(build, store.isOpen, store.total, store.error)
  return (
    <div className={classes.view} data-testid="log" data-following={viewport.isFollowing}>
      <LogToolbar
        build={build}
        total={store.total}
        search={search}
        errors={errors}
        options={options}
        onOptions={setOptions}
        isFollowing={viewport.isFollowing}
        onFollow={follow}
      />
      <div className={classes.body}>
        <div
          ref={scroller}
          className={classes.scroller}
          onScroll={onScroll}
          tabIndex={0}
          role="region"
          aria-label={log.label}
          data-wrapped={options.isWrapped}
        >
          <div className={classes.tall} style={{ height: viewport.scroll.heightPx, width: layout.widthPx }}>
            <div className={classes.screen} style={{ height: layout.heightPx }}>
              <div className={classes.rows} style={{ transform: `translateY(${offsetPx}px)` }}>
                {first === 1 && <GapRows gaps={build.gaps} afterLine={0} />}
                {numbers.map((number, at) => {
                  const line = store.line(number)
                  const section = folds.headings.get(number)
                  const isFolded = section !== undefined && folds.isFolded(number)
                  return (
                    <div
                      key={(shownBefore + at) % slots}
                      className={classes.block}
                      style={{ height: viewport.rows.rowsOf(number) * ROW_PX }}
                    >
                      {section !== undefined && (
                        <SectionRow
                          section={section}
                          total={store.total}
                          gaps={build.gaps}
                          isFolded={isFolded}
                          onFold={fold}
                        />
                      )}
                      {!isFolded && (
                        <>
                          <LogRow
                            number={number}
                            text={line?.text}
                            before={line?.before}
                            stampedAt={line?.stampedAt}
                            isTimed={options.isTimed}
                            isSelected={range !== undefined && number >= range.first && number <= range.last}
                            query={search.query || undefined}
                            isCurrentHit={search.line === number}
                            isCurrentError={errors.line === number}
                            tree={tree}
                            onPick={pick}
                          />
                          <GapRows gaps={build.gaps} afterLine={number} />
                        </>
                      )}
                    </div>
                  )
                })}
              </div>
            </div>
          </div>
        </div>
        <Minimap marks={errors.marks} viewport={viewport} heightPx={layout.heightPx} onGoTo={goTo} />
      </div>
      {notice !== undefined && (
        <p className={classes.notice} role="status" data-empty={store.total === 0}>
          {notice}
        </p>
      )}
    </div>
  )
}

/** The sources of a build; the same object while what they depend on stays, so that drawn lines stay drawn. */
function useSourceTree({ repository, commit, cwd, command, submodules }: BuildDetail): SourceTree | undefined {
  const words = command.join('\n')
  return useMemo(
    () => SourceTree.of({ repository, commit, cwd, command: words.split('\n'), submodules }),
    [repository, commit, cwd, words, submodules],
  )
}

/** Where a reader looks first: what happens now, or how it ended when that was not well. */
function opensAtEnd(build: Build): boolean {
  return build.status !== 'succeeded' && !(isFinal(build.status) && build.firstFailure != null)
}

function lookedAt({ isFollowing, place }: Reading, build: Build): number {
  return isFollowing ? build.logLines : place.line
}

function firstLooked(build: Build): number {
  return opensAtEnd(build) ? build.logLines : (build.firstFailure?.firstLine ?? 1)
}

function GapRows({ gaps, afterLine }: { gaps: readonly Gap[]; afterLine: number }) {
  return gaps
    .filter((gap) => gap.afterLine === afterLine)
    .map((gap, at) => (
      <div key={at} className={classes.gap} data-testid="log-gap">
        {log.gap(gap.lines == null ? log.gapBytes(bytes(gap.bytes)) : log.gapLines(count(gap.lines)), gap.reason)}
      </div>
    ))
}

function noticeOf(build: Build, isOpen: boolean, total: number, error: unknown): string | undefined {
  if (error !== undefined) return log.failedToLoad
  if (!isOpen || total > 0) return undefined
  return isFinal(build.status) ? log.emptyEnded : log.empty
}
