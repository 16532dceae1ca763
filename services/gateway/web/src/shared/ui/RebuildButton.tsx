/**
 * Rebuild button: asks once, then orders an agent to build a commit in a configuration, again or for the first time.
 *
 * It is there only where an agent can: one that was started with a project's config.yaml.
 */
import { Alert, Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useNavigate } from 'react-router'
import { useApp } from '@/shared/api/app-context'
import { useIsServed } from '@/shared/api/queries/agents'
import { shortSha } from '@/shared/format'
import { rebuild as text } from '@/shared/i18n'
import type { CommandView, NewCommand } from '@/shared/wire'
import { Dialog } from './Dialog'
import classes from './dialog.module.css'

const POLL_MS = 1000
/** States in which a command may still become a build. */
const WAITING = new Set(['queued', 'sent', 'accepted'])

interface Order {
  project: string
  branch?: string | null
  commit?: string | null
  config: string
}

interface Props {
  order: Order
  /** What the button does, where it is not building again. */
  label?: string
  title?: string
}

export function RebuildButton({ order, label = text.button, title = text.title }: Props) {
  const { api } = useApp()
  const navigate = useNavigate()
  const isServed = useIsServed(order.project)
  const [isAsking, setAsking] = useState(false)
  const sent = useMutation({ mutationFn: () => api.post<CommandView>('/commands', commandOf(order)) })
  const command = useQuery({
    queryKey: ['command', sent.data?.id],
    queryFn: ({ signal }) => api.get<CommandView>(`/commands/${sent.data?.id}`, {}, signal),
    enabled: isAsking && sent.data !== undefined,
    refetchInterval: (query) => (WAITING.has(query.state.data?.state ?? 'queued') ? POLL_MS : false),
  }).data
  const built = command?.resultBuildId
  const isWaiting = sent.isSuccess && WAITING.has(command?.state ?? 'queued')
  const refusal = sent.error?.message ?? (sent.isSuccess && !isWaiting && built == null ? command?.detail : undefined)

  useEffect(() => {
    if (isAsking && built != null) void navigate(`/builds/${built}`)
  }, [isAsking, built, navigate])

  // What was asked for is followed to its end, should the agent leave meanwhile.
  if (isServed !== true && !isAsking) return null
  return (
    <>
      <Button
        variant="default"
        size="xs"
        onClick={() => {
          sent.reset()
          setAsking(true)
        }}
      >
        {label}
      </Button>
      <Dialog isOpen={isAsking} onClose={() => setAsking(false)} title={title}>
        <p>
          {text.explanation(
            order.project,
            order.branch ?? undefined,
            order.commit && shortSha(order.commit),
            order.config,
          )}
        </p>
        {isWaiting && (
          <p role="status" className={classes.state}>
            {command?.state === 'accepted' ? text.accepted : text.waiting}
          </p>
        )}
        {refusal !== undefined && (
          <Alert color="red" mt="sm" role="alert">
            {text.failed} {refusal ?? command?.state}
          </Alert>
        )}
        <div className={classes.actions}>
          <Button variant="default" onClick={() => setAsking(false)}>
            {text.close}
          </Button>
          <Button loading={sent.isPending || isWaiting} onClick={() => sent.mutate()} data-autofocus>
            {label}
          </Button>
        </div>
      </Dialog>
    </>
  )
}

function commandOf({ project, branch, commit, config }: Order): Partial<NewCommand> {
  const args = Object.fromEntries(
    Object.entries({ branch, commit, config }).filter((entry): entry is [string, string] => !!entry[1]),
  )
  return { kind: 'trigger', project, args }
}
