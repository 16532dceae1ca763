/** Notifications page: what was sent to whom, how far it came, and what people muted. */
import { Select } from '@mantine/core'
import { Link } from 'react-router'
import { Nothing } from '@/shared/address/Chosen'
import { useChoice, type Choice } from '@/shared/address/useChoice'
import { instant } from '@/shared/format'
import { notifications as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { Page, Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { NotificationRow } from '@/shared/wire'
import { Mutes } from './Mutes'
import { useNotifications } from './queries'

const STATES = Object.entries(text.states).map(([value, label]) => ({ value, label }))
const PARTS = ['project'] as const
const KNOWN = { state: Object.keys(text.states) }
const STATE_CLASS: Partial<Record<NotificationRow['state'], string>> = {
  delivered: layout.green,
  accepted: layout.green,
  failed: layout.red,
  unknown: layout.warned,
}

export function NotificationsPage() {
  const choice = useChoice({ parts: PARTS, known: KNOWN })
  const { address, project } = choice
  const state = address.get('state')
  const read = useNotifications(project, state)
  return (
    <Page
      title={text.title}
      tools={
        <>
          {choice.selects}
          <Select
            size="xs"
            aria-label={text.state}
            placeholder={text.anyState}
            data={STATES}
            value={state ?? null}
            onChange={(chosen) => address.change({ state: chosen ?? undefined })}
            clearable
          />
        </>
      }
    >
      <Mutes key={project} project={project} />
      <Section title={text.log}>
        <Answer read={read}>{({ pages }) => <Log choice={choice} rows={pages.flatMap((page) => page.items)} />}</Answer>
        <More read={read} label={text.more} />
      </Section>
    </Page>
  )
}

function Log({ choice, rows }: { choice: Choice; rows: readonly NotificationRow[] }) {
  if (rows.length === 0) return <Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />
  return (
    <Table label={text.log} columns={[text.subject, text.to, text.state, text.created, text.history]}>
      {rows.map((row) => (
        <Row key={row.id} row={row} />
      ))}
    </Table>
  )
}

function Row({ row }: { row: NotificationRow }) {
  return (
    <tr data-testid="notification" data-state={row.state}>
      <td className={layout.words}>
        {row.buildId == null ? (
          <strong>{row.subject}</strong>
        ) : (
          <Link to={`/builds/${row.buildId}`} className={layout.name}>
            {row.subject}
          </Link>
        )}
        <div className={layout.faint}>
          {row.project} {row.branch ?? text.noBranch} · {text.rules[row.rule]}
        </div>
      </td>
      <td>
        {row.recipient}
        <div className={layout.faint}>{row.channelLabel}</div>
      </td>
      <td className={STATE_CLASS[row.state] ?? layout.soft}>
        {text.states[row.state]}
        {row.reason != null && <div className={layout.faint}>{row.reason}</div>}
      </td>
      <td className={layout.nowrap}>
        <Ago at={row.createdAt} />
      </td>
      <td>
        <details>
          <summary className={layout.soft}>{text.steps(row.log.length)}</summary>
          {row.log.map((entry, at) => (
            <div key={at} className={layout.faint}>
              {instant(entry.at)} {entry.what}
            </div>
          ))}
        </details>
      </td>
    </tr>
  )
}
