/** Rebuild button: asks once, then orders an agent to build the same commit, branch and configuration again. */
import { Alert, Button, Modal } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useNavigate } from 'react-router'
import { useApp } from '@/shared/api/app-context'
import { shortSha } from '@/shared/format'
import { keys, rebuild as text } from '@/shared/i18n'
import type { Build, CommandView, NewCommand } from '@/shared/wire'
import classes from './CancelButton.module.css'

const POLL_MS = 1000
/** States in which a command may still become a build. */
const WAITING = new Set(['queued', 'sent', 'accepted'])

export function RebuildButton({ build }: { build: Build }) {
  const { api } = useApp()
  const navigate = useNavigate()
  const [isAsking, setAsking] = useState(false)
  const order = useMutation({ mutationFn: () => api.post<CommandView>('/commands', orderOf(build)) })
  const command = useQuery({
    queryKey: ['command', order.data?.id],
    queryFn: ({ signal }) => api.get<CommandView>(`/commands/${order.data?.id}`, {}, signal),
    enabled: isAsking && order.data !== undefined,
    refetchInterval: (query) => (WAITING.has(query.state.data?.state ?? 'queued') ? POLL_MS : false),
  }).data
  const built = command?.resultBuildId
  const isWaiting = order.isSuccess && WAITING.has(command?.state ?? 'queued')
  const refusal = order.error?.message ?? (order.isSuccess && !isWaiting && built == null ? command?.detail : undefined)

  useEffect(() => {
    if (isAsking && built != null) void navigate(`/builds/${built}`)
  }, [isAsking, built, navigate])

  return (
    <>
      <Button
        variant="default"
        size="xs"
        onClick={() => {
          order.reset()
          setAsking(true)
        }}
      >
        {text.button}
      </Button>
      <Modal
        opened={isAsking}
        onClose={() => setAsking(false)}
        title={text.title}
        lockScroll={false}
        centered
        closeButtonProps={{ 'aria-label': keys.close }}
      >
        <p>
          {text.explanation(
            build.project,
            build.branch ?? undefined,
            build.commit && shortSha(build.commit),
            build.config,
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
          <Button loading={order.isPending || isWaiting} onClick={() => order.mutate()} data-autofocus>
            {text.button}
          </Button>
        </div>
      </Modal>
    </>
  )
}

function orderOf({ project, branch, commit, config }: Build): Partial<NewCommand> {
  const args = Object.fromEntries(
    Object.entries({ branch, commit, config }).filter((entry): entry is [string, string] => !!entry[1]),
  )
  return { kind: 'trigger', project, args }
}
