/** Build page: one build, live: how it stands, what failed, its log. */
import { Button } from '@mantine/core'
import { useEffect, useRef, type ComponentType, type RefObject } from 'react'
import { Link, useParams, useSearchParams } from 'react-router'
import { FailureBox } from '@/features/build/failures/FailureBox'
import { BuildHeader } from '@/features/build/header/BuildHeader'
import { PhaseStrip } from '@/features/build/header/PhaseStrip'
import { useFreshPhases } from '@/features/build/header/useFreshPhases'
import { LogView, type Reading } from '@/features/build/log/LogView'
import { searchOf, tabOf, TABS, type Tab } from '@/features/build/tab/tabs'
import { useRows } from '@/shared/api/app-context'
import { ApiError } from '@/shared/api/client'
import { useBuildDetail } from '@/shared/api/queries/builds'
import { count } from '@/shared/format'
import { nameOf } from '@/shared/format/build-id'
import { statusOf } from '@/shared/format/status'
import { build as text, list } from '@/shared/i18n'
import { newest } from '@/shared/live/rows'
import layout from '@/shared/ui/layout.module.css'
import { onDemand } from '@/shared/ui/on-demand'
import { useTabSubject } from '@/shared/ui/useTabState'
import type { BuildDetail } from '@/shared/wire'
import classes from './BuildPage.module.css'
import { NamedBuild } from './NamedBuild'

const waiting = <div className={classes.skeletonLog} aria-busy="true" />

type TabContent = ComponentType<{ build: BuildDetail; reading: RefObject<Reading | undefined> }>

// Loaded when they are opened: most readers want the log, and want it now.
function opened<Name extends string>(name: Name, load: () => Promise<Record<Name, TabContent>>) {
  return onDemand(() => load().then((module) => module[name]), waiting)
}

const ArtifactsTab = opened('ArtifactsTab', () => import('@/features/build/artifacts/ArtifactsTab'))
const CompareTab = opened('CompareTab', () => import('@/features/build/compare/CompareTab'))
const ConfigurationTab = opened('ConfigurationTab', () => import('@/features/build/configuration/ConfigurationTab'))
const EventsTab = opened('EventsTab', () => import('@/features/build/events/EventsTab'))
const FailuresTab = opened('FailuresTab', () => import('@/features/build/failures/FailuresTab'))
const MetricsTab = opened('MetricsTab', () => import('@/features/build/metrics/MetricsTab'))
const StepsTab = opened('StepsTab', () => import('@/features/build/steps/StepsTab'))
const TestsTab = opened('TestsTab', () => import('@/features/build/tests/TestsTab'))

const CONTENT: Record<Tab, TabContent> = {
  log: LogView,
  failures: FailuresTab,
  tests: TestsTab,
  steps: StepsTab,
  metrics: MetricsTab,
  artifacts: ArtifactsTab,
  configuration: ConfigurationTab,
  compare: CompareTab,
  events: EventsTab,
}

export function BuildPage() {
  const { id = '' } = useParams()
  const name = nameOf(id)
  // Another build is another page: nothing of the last one's log or place may stay.
  return name === undefined || name.id === id ? <OneBuild key={id} id={id} /> : <NamedBuild key={id} name={name} />
}

function OneBuild({ id }: { id: string }) {
  const query = useBuildDetail(id)
  const rows = useRows()
  const build = query.data === undefined ? undefined : newest(query.data, rows)
  const [params] = useSearchParams()
  const tab = tabOf(params)
  const Content = CONTENT[tab]
  const reading = useRef<Reading>(undefined)
  const isKnown = rows.has(id)
  const { isError, refetch } = query
  useEffect(() => {
    // A build that was just ordered may be opened before it is stored: its first pushed row shows that it is.
    if (isError && isKnown) void refetch()
  }, [isError, isKnown, refetch])
  useTabSubject(build)
  useFreshPhases(build, query.refetch)

  if (build === undefined) {
    return query.isError ? <Missing error={query.error} onRetry={() => void query.refetch()} /> : <Skeleton />
  }
  return (
    <article className={classes.page} data-testid="build" data-build={build.id} data-status={statusOf(build)}>
      <BuildHeader build={build} />
      <PhaseStrip build={build} />
      <MissingTests build={build} />
      {build.firstFailure != null && tab !== 'failures' && <FailureBox build={build} failure={build.firstFailure} />}
      <nav className={classes.tabs} aria-label={text.parts}>
        {TABS.map((each) => (
          <TabLink key={each} tab={each} isCurrent={each === tab} badge={badgeOf(build, each)} />
        ))}
      </nav>
      <Content build={build} reading={reading} />
    </article>
  )
}

function TabLink({ tab, isCurrent, badge }: { tab: Tab; isCurrent: boolean; badge: number }) {
  const link = useRef<HTMLAnchorElement>(null)
  useEffect(() => {
    // On a narrow screen the row of tabs scrolls: the one that is open has to be seen.
    if (isCurrent) link.current?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [isCurrent])
  return (
    <Link
      ref={link}
      className={classes.tab}
      to={{ search: searchOf(tab) }}
      aria-current={isCurrent ? 'page' : undefined}
    >
      {text.tabs[tab]}
      {badge > 0 && <b>{count(badge)}</b>}
    </Link>
  )
}

/** What of the build's tests could not be read: without a word, fewer tests would look like all of them. */
function MissingTests({ build }: { build: BuildDetail }) {
  const missing = build.missingFacts.filter(({ name }) => name === 'tests')
  if (missing.length === 0) return null
  return (
    <ul className={classes.notes} aria-label={text.missingTests} data-testid="missing-tests">
      {missing.map(({ reason, remedy }) => (
        <li key={reason} title={remedy}>
          {reason}
        </li>
      ))}
    </ul>
  )
}

/** How much is wrong in a tab, shown on its name. */
function badgeOf({ failureCount, metrics }: BuildDetail, tab: Tab): number {
  if (tab === 'failures') return failureCount
  return tab === 'tests' ? (metrics?.testsFailed ?? 0) : 0
}

function Missing({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const isMissing = error instanceof ApiError && (error.isMissing || error.status === 422)
  return (
    <div className={`${layout.notice} ${layout.alone}`} role="alert">
      <p>{isMissing ? text.missing : text.failedToLoad}</p>
      {!isMissing && <p className={layout.faint}>{error.message}</p>}
      <div className={classes.actions}>
        {!isMissing && (
          <Button size="xs" onClick={onRetry}>
            {list.retry}
          </Button>
        )}
        <Button size="xs" variant="default" component={Link} to="/">
          {text.back}
        </Button>
      </div>
    </div>
  )
}

function Skeleton() {
  return (
    <div className={classes.page} aria-busy="true">
      <div className={classes.skeleton} />
      <div className={classes.skeletonLog} />
    </div>
  )
}
