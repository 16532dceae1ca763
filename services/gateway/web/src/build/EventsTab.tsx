/** Events tab: the build's records as they were said, log text left out. */
import { Button } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useApp } from '../app/app-context'
import { clock, instant } from '../format'
import { events as text } from '../strings'
import type { Build, RecordPage } from '../wire'
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
  const records = (query.data?.pages.flatMap((page) => page.items) ?? []) as unknown as RecordRow[]
  return (
    <div className={classes.page}>
      {query.isError && <p role="alert">{text.failedToLoad}</p>}
      {query.isSuccess && records.length === 0 && <p>{text.none}</p>}
      {records.length > 0 && (
        <table className={classes.table}>
          <thead>
            <tr>
              <th>{text.seq}</th>
              <th>{text.time}</th>
              <th>{text.type}</th>
              <th>{text.data}</th>
            </tr>
          </thead>
          <tbody>
            {records.map((record, at) => (
              <tr key={at}>
                <td className={classes.number}>{record.seq}</td>
                <td className={classes.number} title={instant(record.timestamp)}>
                  {clock(record.timestamp)}
                </td>
                <td>{record.type}</td>
                <td>
                  <code>{JSON.stringify(record.data)}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {query.hasNextPage && (
        <Button
          size="xs"
          variant="default"
          loading={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
        >
          {text.more}
        </Button>
      )}
    </div>
  )
}
