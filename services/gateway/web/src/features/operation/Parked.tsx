/** Parked: messages that no service could handle: read, put back to their queue, or deleted. */
import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'react-router'
import { useApp } from '@/shared/api/app-context'
import { NOTICES } from '@/shared/api/queries/notices'
import { operation as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Confirm } from '@/shared/ui/Confirm'
import { Ago } from '@/shared/ui/Elapsed'
import { Failed } from '@/shared/ui/Failed'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { ParkedView } from '@/shared/wire'
import classes from './Parked.module.css'
import { PARKED, useParked, useParkedMessage } from './queries'

const COLUMNS = [text.message, text.queue, text.reason, text.parked, '']

export function Parked() {
  const replay = useSettled((id) => ({ method: 'post', path: `/parking/${id}/replay` }))
  return (
    <Section title={text.setAside}>
      <Answer read={useParked()}>
        {({ items }) =>
          items.length === 0 ? (
            <p className={layout.faint}>{text.nothingSetAside}</p>
          ) : (
            <>
              <Table label={text.setAside} columns={COLUMNS}>
                {items.map((message) => (
                  <Row key={message.id} message={message} />
                ))}
              </Table>
              <div className={layout.more}>
                <Button size="xs" variant="default" loading={replay.isPending} onClick={() => replay.mutate('all')}>
                  {text.replayAll}
                </Button>
                {replay.isError && <Failed error={replay.error} />}
              </div>
            </>
          )
        }
      </Answer>
    </Section>
  )
}

function Row({ message }: { message: ParkedView }) {
  const [isOpen, setOpen] = useState(false)
  const replay = useSettled((id) => ({ method: 'post', path: `/parking/${id}/replay` }))
  const drop = useSettled((id) => ({ method: 'delete', path: `/parking/${id}` }))
  return (
    <tr data-testid="parked" data-final={message.isFinal}>
      <td className={layout.words}>
        <strong>{message.type}</strong> <span className={layout.faint}>{text.bytes(message.sizeBytes)}</span>
        <div className={layout.faint}>
          {message.project}
          {message.buildId != null && (
            <>
              {' '}
              <Link to={`/builds/${message.buildId}`} className={layout.link}>
                {text.build}
              </Link>
            </>
          )}
        </div>
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary className={layout.soft}>{text.show}</summary>
          {isOpen && <Body id={message.id} />}
        </details>
      </td>
      <td>{message.queue}</td>
      <td className={layout.words}>
        {message.reason}
        <div className={layout.faint}>{message.isFinal ? text.waitsForYou : text.replaysItself}</div>
      </td>
      <td className={layout.nowrap}>
        <Ago at={message.parkedAt} />
      </td>
      <td>
        <div className={classes.act}>
          <Button
            size="compact-xs"
            variant="default"
            loading={replay.isPending}
            onClick={() => replay.mutate(message.id)}
          >
            {text.replay}
          </Button>
          <Confirm
            label={text.drop}
            title={text.dropTitle(message.type)}
            explanation={text.dropText}
            error={drop.error}
            onConfirm={() => drop.mutate(message.id)}
          />
        </div>
        {replay.isError && <Failed error={replay.error} />}
      </td>
    </tr>
  )
}

function Body({ id }: { id: string }) {
  return (
    <Answer read={useParkedMessage(id, true)}>
      {({ body, headers }) => (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls is reached by the keyboard
        <pre className={classes.body} tabIndex={0}>
          {Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`)}
          {`\n${body}`}
        </pre>
      )}
    </Answer>
  )
}

/** A message goes back or away; then what is set aside is read again. */
function useSettled(request: (id: string) => { method: 'post' | 'delete'; path: string }) {
  const { api } = useApp()
  const queries = useQueryClient()
  return useMutation({
    mutationFn: async (id: string) => {
      const { method, path } = request(encodeURIComponent(id))
      await (method === 'delete' ? api.delete(path) : api.post<unknown>(path, {}))
    },
    onSuccess: async () => {
      for (const queryKey of [PARKED, NOTICES]) await queries.invalidateQueries({ queryKey })
    },
  })
}
