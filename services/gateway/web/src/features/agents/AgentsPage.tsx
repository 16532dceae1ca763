/** Agents page: who builds, who could, who is gone; what waits on their disks; draining one before its machine is touched. */
import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { BuildLink } from '@/shared/address/ShortLinks'
import { useApp } from '@/shared/api/app-context'
import { useMe } from '@/shared/api/queries/me'
import { bytes } from '@/shared/format'
import { agents as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { CommandView, NewCommand } from '@/shared/wire'
import { agentsOf, countByState, type Agent } from './hosts'
import { useAgents } from '@/shared/api/queries/agents'

const COLUMNS = [
  text.name,
  text.state,
  text.host,
  text.version,
  text.builds,
  text.waiting,
  text.disk,
  text.lastSeenAt,
  '',
]
const WRONG_CLOCK_MS = 60_000
const STATE_CLASS = { busy: layout.running, idle: layout.green, gone: layout.faint }

export function AgentsPage() {
  const read = useAgents()
  const agents = agentsOf(read.data?.items ?? [])
  const { busy, idle, gone } = countByState(agents)
  return (
    <Page title={text.title} lead={read.data === undefined ? undefined : text.summary(busy, idle, gone)}>
      <Answer read={read}>
        {() =>
          agents.length === 0 ? (
            <Notice title={text.emptyTitle}>
              <p>{text.empty}</p>
            </Notice>
          ) : (
            <Table label={text.title} columns={COLUMNS}>
              {agents.map((agent) => (
                <Row key={agent.newest.instance} agent={agent} />
              ))}
            </Table>
          )
        }
      </Answer>
    </Page>
  )
}

function Row({ agent: { newest, state, builds, unbuildable, processes } }: { agent: Agent }) {
  return (
    <tr data-testid="agent" data-state={state}>
      <td className={layout.words}>
        <strong>{newest.name}</strong>
        <div className={layout.faint}>{newest.serves.length > 0 ? newest.serves.join(', ') : text.anyone}</div>
        {unbuildable.map(({ project, reason, failures, retrySeconds, sinceAt }) => (
          <div key={project} className={layout.warned} data-testid="unbuildable">
            {text.unbuildable(project, reason)}{' '}
            <span className={layout.faint}>
              {text.tries(failures, retrySeconds)} <Ago at={sinceAt} />
            </span>
          </div>
        ))}
      </td>
      <td className={STATE_CLASS[state]}>{text[state]}</td>
      <td>
        {newest.host ?? text.none}
        {processes > 1 && <div className={layout.faint}>{text.processes(processes)}</div>}
        {newest.transport === 'post' && state !== 'gone' && (
          <div className={layout.faint} title={text.postsHint} data-testid="posts">
            {text.posts}
          </div>
        )}
        {isWrong(newest.clockSkewMs) && (
          <div className={layout.warned} title={text.skewHint}>
            {text.skew(newest.clockSkewMs)}
          </div>
        )}
      </td>
      <td>{newest.version}</td>
      <td>
        {builds.length === 0 && <span className={layout.faint}>{text.none}</span>}
        {builds.map((id) => (
          <div key={id}>
            <BuildLink id={id} />
          </div>
        ))}
      </td>
      <td>{newest.spoolBytes === 0 ? text.nothing : bytes(newest.spoolBytes)}</td>
      <td>{newest.diskFreeBytes == null ? text.none : bytes(newest.diskFreeBytes)}</td>
      <td className={layout.nowrap}>
        <Ago at={newest.lastSeenAt} />
      </td>
      <td className={layout.nowrap}>{newest.serves.length > 0 && state !== 'gone' && <Drain agent={newest.name} />}</td>
    </tr>
  )
}

/** Whether a clock is so far off that its times mislead a reader. */
function isWrong(skewMs: number | null | undefined): skewMs is number {
  return skewMs != null && Math.abs(skewMs) > WRONG_CLOCK_MS
}

/** Only an admin may, and only an agent that takes orders can. */
function Drain({ agent }: { agent: string }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const isAdmin = useMe().data?.role === 'admin'
  const order = useMutation({
    mutationFn: (kind: NewCommand['kind']) => api.post<CommandView>('/commands', { kind, agent }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['agents'] }),
  })
  if (!isAdmin) return null
  if (order.isError) return <span role="alert">{order.error.message}</span>
  const hasDrained = order.data?.kind === 'drain'
  return (
    <Button
      variant="default"
      size="compact-xs"
      loading={order.isPending}
      title={hasDrained ? text.drained : undefined}
      onClick={() => order.mutate(hasDrained ? 'resume' : 'drain')}
    >
      {hasDrained ? text.resume : text.drain}
    </Button>
  )
}
