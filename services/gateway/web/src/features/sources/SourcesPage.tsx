/** Sources page: the CIs that are shown without an agent on their machines, and how well each is followed. */
import { useAgents } from '@/shared/api/queries/agents'
import { age, count } from '@/shared/format'
import { sources as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import { sourcesOf, type Source, type SourceState } from './model'

const COLUMNS = [text.name, text.state, text.builds, text.lag, text.requests, text.refused, text.lost, text.readAt]
const STATE_CLASS: Record<SourceState, string | undefined> = {
  current: layout.green,
  behind: layout.warned,
  failing: layout.warned,
  unwatched: layout.faint,
}

export function SourcesPage() {
  const read = useAgents()
  const sources = sourcesOf(read.data?.items ?? [])
  return (
    <Page title={text.title} lead={text.lead}>
      <Answer read={read}>
        {() =>
          sources.length === 0 ? (
            <Notice title={text.emptyTitle}>
              <p>{text.empty}</p>
            </Notice>
          ) : (
            <Table label={text.title} columns={COLUMNS}>
              {sources.map((source) => (
                <Row key={source.health.name} source={source} />
              ))}
            </Table>
          )
        }
      </Answer>
    </Page>
  )
}

function Row({ source: { health, state, seenAt } }: { source: Source }) {
  return (
    <tr data-testid="source" data-state={state}>
      <td className={layout.words}>
        <strong>
          {health.url == null ? (
            health.name
          ) : (
            <a href={health.url} rel="noreferrer">
              {health.name}
            </a>
          )}
        </strong>
        <div className={layout.faint}>{[health.kind, ...(health.projects ?? [])].join(', ')}</div>
        {health.problem != null && (
          <div className={layout.warned} data-testid="source-problem">
            {health.problem}{' '}
            {health.failingSinceAt != null && (
              <span className={layout.faint}>
                {text.since} <Ago at={health.failingSinceAt} />
              </span>
            )}
          </div>
        )}
      </td>
      <td className={STATE_CLASS[state]}>{text.states[state]}</td>
      <td>
        {count(health.openBuilds)}
        {health.waitingBuilds > 0 && <div className={layout.faint}>{text.waiting(count(health.waitingBuilds))}</div>}
      </td>
      <td>{health.lagMs == null ? text.none : age(health.lagMs)}</td>
      <td>
        {count(health.requestsPerMinute)}
        {health.requestsLeft != null && <div className={layout.faint}>{text.left(count(health.requestsLeft))}</div>}
      </td>
      <td>{count(health.refusedRequests)}</td>
      <td className={health.lostLogs > 0 ? layout.warned : undefined}>{count(health.lostLogs)}</td>
      <td className={layout.nowrap}>
        <Ago at={health.readAt ?? seenAt} />
      </td>
    </tr>
  )
}
