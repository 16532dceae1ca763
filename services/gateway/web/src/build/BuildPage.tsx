/** Build page: one build, live: how it stands, what failed, its log. */
import { Button } from '@mantine/core'
import { Link, useParams, useSearchParams } from 'react-router'
import { ApiError } from '../api/client'
import { useRows } from '../app/app-context'
import { useBuildDetail } from '../builds/queries'
import { newest } from '../live/rows'
import { LogView } from '../log/LogView'
import { useTabSubject } from '../shell/useTabState'
import { build as text, list } from '../strings'
import classes from './BuildPage.module.css'
import { ConfigurationTab } from './ConfigurationTab'
import { EventsTab } from './EventsTab'
import { FailureBox } from './FailureBox'
import { PhaseStrip } from './PhaseStrip'
import { StatusShelf } from './StatusShelf'
import { useFreshPhases } from './useFreshPhases'

const TABS = ['log', 'configuration', 'events'] as const
type Tab = (typeof TABS)[number]

export function BuildPage() {
  const { id = '' } = useParams()
  // Another build is another page: nothing of the last one's log or place may stay.
  return <OneBuild key={id} id={id} />
}

function OneBuild({ id }: { id: string }) {
  const query = useBuildDetail(id)
  const rows = useRows()
  const build = query.data === undefined ? undefined : newest(query.data, rows)
  const [params] = useSearchParams()
  const tab = TABS.find((each) => each === params.get('tab')) ?? 'log'
  useTabSubject(build)
  useFreshPhases(build, query.refetch)

  if (build === undefined) {
    return query.isError ? <Missing error={query.error} onRetry={() => void query.refetch()} /> : <Skeleton />
  }
  return (
    <article className={classes.page} data-testid="build" data-build={build.id} data-status={build.status}>
      <StatusShelf build={build} />
      <PhaseStrip build={build} />
      {build.firstFailure != null && <FailureBox build={build} failure={build.firstFailure} />}
      <nav className={classes.tabs}>
        {TABS.map((each) => (
          <TabLink key={each} tab={each} isCurrent={each === tab} />
        ))}
      </nav>
      {tab === 'log' && <LogView build={build} />}
      {tab === 'configuration' && <ConfigurationTab build={build} />}
      {tab === 'events' && <EventsTab build={build} />}
    </article>
  )
}

function TabLink({ tab, isCurrent }: { tab: Tab; isCurrent: boolean }) {
  return (
    <Link
      className={classes.tab}
      to={{ search: tab === 'log' ? '' : `?tab=${tab}` }}
      aria-current={isCurrent ? 'page' : undefined}
    >
      {text.tabs[tab]}
    </Link>
  )
}

function Missing({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const isMissing = error instanceof ApiError && (error.isMissing || error.status === 422)
  return (
    <div className={classes.missing} role="alert">
      <p>{isMissing ? text.missing : text.failedToLoad}</p>
      {!isMissing && <p className={classes.faint}>{error.message}</p>}
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
