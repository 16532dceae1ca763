/** Audit page: the trail, narrowed by who, what, whom and result; its export and the check of its chain. */
import { Button } from '@mantine/core'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { count, instant } from '@/shared/format'
import { audit as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Failed } from '@/shared/ui/Failed'
import { Field } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { Page, Section } from '@/shared/ui/Page'
import { save } from '@/shared/ui/save'
import { Table } from '@/shared/ui/Table'
import type { AuditCheck, AuditEntries, AuditEntry } from '@/shared/wire'
import classes from './audit.module.css'
import { entriesOf, keyOf } from './entries'

const ALL = { who: '', action: '', subject: '', result: '' }
const NARROWED_BY = ['who', 'action', 'subject', 'result'] as const
const COLUMNS = [text.when, text.who, text.action, text.subject, text.result, text.from]

export function AuditPage() {
  const { api } = useApp()
  const [wanted, setWanted] = useState(ALL)
  const read = useInfiniteQuery({
    queryKey: ['audit', wanted],
    queryFn: ({ signal, pageParam }) =>
      api.get<AuditEntries>('/audit', { ...wanted, before_at: pageParam ?? undefined }, signal),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.nextBeforeAt ?? null,
  })
  return (
    <Page title={text.title} lead={text.lead} tools={<Tools wanted={wanted} />}>
      <Section title={text.list}>
        <div className={classes.filters}>
          {NARROWED_BY.map((part) => (
            <Field
              key={part}
              label={text[part]}
              maxLength={256}
              value={wanted[part]}
              onChange={(value) => setWanted({ ...wanted, [part]: value })}
            />
          ))}
        </div>
        <Answer read={read}>{({ pages }) => <Entries entries={entriesOf(pages)} />}</Answer>
        <More read={read} label={text.more} />
      </Section>
    </Page>
  )
}

function Tools({ wanted }: { wanted: typeof ALL }) {
  const { api } = useApp()
  const exporting = useMutation({
    mutationFn: async (format: 'jsonl' | 'csv') =>
      save(await api.blob('/audit/export', { ...wanted, format }), `audit.${format}`),
  })
  const check = useMutation({ mutationFn: () => api.get<AuditCheck>('/audit/check') })
  const error = exporting.error ?? check.error
  return (
    <>
      <Button size="xs" variant="default" loading={exporting.isPending} onClick={() => exporting.mutate('jsonl')}>
        {text.lines}
      </Button>
      <Button size="xs" variant="default" loading={exporting.isPending} onClick={() => exporting.mutate('csv')}>
        {text.table}
      </Button>
      <Button size="xs" variant="default" loading={check.isPending} onClick={() => check.mutate()}>
        {text.check}
      </Button>
      {check.data !== undefined && <Checked check={check.data} />}
      {error !== null && <Failed error={error} />}
    </>
  )
}

function Checked({ check: { entries, broken } }: { check: AuditCheck }) {
  return (
    <span role="status" className={broken == null ? layout.green : layout.red}>
      {broken == null ? text.whole(count(entries)) : text.broken(broken.subject, instant(broken.at))}
    </span>
  )
}

function Entries({ entries }: { entries: readonly AuditEntry[] }) {
  if (entries.length === 0) return <p className={layout.faint}>{text.none}</p>
  return (
    <Table label={text.list} columns={COLUMNS}>
      {entries.map((entry) => (
        <tr key={keyOf(entry)} data-testid="audit-entry">
          <td className={layout.nowrap}>{instant(entry.at)}</td>
          <td>
            <strong>{entry.who}</strong>
          </td>
          <td>{entry.action}</td>
          <td className={layout.words}>
            {entry.subject}
            {entry.detail != null && <div className={layout.faint}>{entry.detail}</div>}
          </td>
          <td>{entry.result ?? '–'}</td>
          <td className={layout.soft}>{entry.address ?? '–'}</td>
        </tr>
      ))}
    </Table>
  )
}
