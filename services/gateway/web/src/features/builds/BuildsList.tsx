/** Builds list: what runs now, then what ran, live; filtered by its address. */
import { Button } from '@mantine/core'
import { useMemo, useRef, type ReactNode } from 'react'
import { useFilter } from '@/shared/address/useFilter'
import { useRows } from '@/shared/api/app-context'
import { useBuildList, useRunningBuilds } from '@/shared/api/queries/builds'
import { count } from '@/shared/format'
import { keys, list } from '@/shared/i18n'
import { useShortcuts } from '@/shared/keyboard/useShortcuts'
import { mergedList } from '@/shared/live/rows'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { useTabName } from '@/shared/ui/useTabState'
import { isFinal, type Build } from '@/shared/wire'
import { BuildFilters } from './BuildFilters'
import { BuildRow } from './BuildRow'
import classes from './BuildsList.module.css'
import { EmptyBuilds } from './EmptyBuilds'
import { RunRow } from './RunRow'
import { runsOf } from './runs'

interface Props {
  title: string
  /** What stands between the filters and the builds. */
  children?: ReactNode
}

export function BuildsList({ title, children }: Props) {
  useTabName(title)
  const [filter, setFilter] = useFilter()
  const rows = useRows()
  const query = useBuildList(filter)
  const read = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data])
  const runningNow = useRunningBuilds(filter).data?.items
  const isWhole = query.data !== undefined && !query.hasNextPage
  const builds = useMemo(
    () => mergedList(read, runningNow ?? [], rows, filter, isWhole),
    [read, runningNow, rows, filter, isWhole],
  )
  const page = useRef<HTMLDivElement>(null)
  useShortcuts([
    { keys: 'j', title: keys.nextRow, run: () => step(page.current, 1) },
    { keys: 'k', title: keys.previousRow, run: () => step(page.current, -1) },
  ])

  const running = builds.filter((build) => !isFinal(build.status))
  const ended = builds.filter((build) => isFinal(build.status))
  const isFiltered = Object.values(filter).some(Boolean)
  const offered = useMemo(() => [...read, ...rows.values()], [read, rows])

  return (
    <div className={layout.page} ref={page}>
      <div className={classes.head}>
        <h1 className={layout.title}>{title}</h1>
        <BuildFilters filter={filter} onChange={setFilter} builds={offered} />
      </div>
      {children}
      {query.isPending && <Skeletons />}
      {query.isError && builds.length === 0 && (
        <div className={classes.notice} role="alert">
          <p>{list.failedToLoad}</p>
          <p className={classes.faint}>{query.error.message}</p>
          <Button variant="default" size="xs" onClick={() => void query.refetch()}>
            {list.retry}
          </Button>
        </div>
      )}
      {running.length > 0 && <Section title={list.running} total={running.length} builds={running} />}
      {ended.length > 0 && <Section title={list.recent} builds={ended} />}
      <More read={query} label={list.more} />
      {query.isSuccess && builds.length === 0 && !isFiltered && <EmptyBuilds />}
      {query.isSuccess && builds.length === 0 && isFiltered && (
        <div className={classes.notice}>
          <p>{list.none}</p>
          <Button
            variant="default"
            size="xs"
            onClick={() => setFilter({ project: undefined, branch: undefined, status: undefined, text: undefined })}
          >
            {list.clear}
          </Button>
        </div>
      )}
    </div>
  )
}

function Section({ title, total, builds }: { title: string; total?: number; builds: readonly Build[] }) {
  return (
    <section aria-label={title}>
      <h2 className={classes.section}>
        {title} {total !== undefined && <span className={classes.faint}>{count(total)}</span>}
      </h2>
      <div className={classes.rows}>
        {runsOf(builds).map((run) =>
          run.isFolded ? <RunRow key={run.key} run={run} /> : <BuildRow key={run.key} build={run.builds[0]} />,
        )}
      </div>
    </section>
  )
}

/** As tall as the rows that follow, so that nothing jumps when they come. */
function Skeletons() {
  return (
    <div className={classes.skeletons} aria-busy="true">
      {Array.from({ length: 8 }, (_, at) => (
        <div key={at} className={classes.skeleton}>
          <i />
          <i />
        </div>
      ))}
    </div>
  )
}

/** Moves the focus from row to row. */
function step(page: HTMLElement | null, by: number): void {
  const rows = [...(page?.querySelectorAll<HTMLElement>('[data-testid=build-row], [data-testid=run-row]') ?? [])]
  const at = rows.indexOf(document.activeElement as HTMLElement)
  const next = at === -1 ? (by > 0 ? 0 : rows.length - 1) : at + by
  rows[Math.min(rows.length - 1, Math.max(0, next))]?.focus()
}
