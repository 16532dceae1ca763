/** Events tab: the build's records as they were sent, log text left out. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import { clock, instant } from '@/shared/format'
import { events as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { More } from '@/shared/ui/More'
import { Notice } from '@/shared/ui/Notice'
import { Table } from '@/shared/ui/Table'
import type { Build, RecordPage } from '@/shared/wire'
import classes from './EventsTab.module.css'

/** A record as sent; its data is shown, not interpreted. */
interface RecordRow {
  seq?: number
  type: string
  timestamp: number
  data: Record<string, unknown>
}

export function EventsTab({ build }: { build: Build }) {
  const { api } = useApp()
  const query = useInfiniteQuery({
    queryKey: ['records', build.id, build.status],
    queryFn: ({ pageParam, signal }) =>
      api.get<RecordPage>(`/builds/${build.id}/records`, { after: pageParam }, signal),
    initialPageParam: 0,
    getNextPageParam: (last) => last.nextAfter ?? undefined,
  })
  return (
    <div className={classes.page}>
      <Answer read={query}>
        {({ pages }) => <Records records={pages.flatMap((page) => page.items) as unknown as RecordRow[]} />}
      </Answer>
      <More read={query} label={text.more} />
    </div>
  )
}

function Records({ records }: { records: readonly RecordRow[] }) {
  if (records.length === 0) return <Notice title={text.none} />
  return (
    <Table className={classes.records} label={text.title} columns={[text.seq, text.time, text.type, text.data]}>
      {records.map((record, at) => (
        <tr key={at}>
          <td className={classes.number}>{record.seq}</td>
          <td className={classes.number} title={instant(record.timestamp)}>
            {clock(record.timestamp)}
          </td>
          <td>{record.type}</td>
          <td className={classes.data}>
            <code>{JSON.stringify(record.data)}</code>
          </td>
        </tr>
      ))}
    </Table>
  )
}
