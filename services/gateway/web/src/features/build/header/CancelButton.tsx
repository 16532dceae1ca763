/** Cancel button: asks once, then orders the agent to stop the build. */
import { Alert, Button, Modal } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { ApiError } from '@/shared/api/client'
import { build as text, keys } from '@/shared/i18n'
import type { CommandView, NewCommand } from '@/shared/wire'
import classes from './CancelButton.module.css'

export function CancelButton({ buildId }: { buildId: string }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const [isAsking, setAsking] = useState(false)
  const cancel = useMutation({
    mutationFn: () => api.post<CommandView>('/commands', { kind: 'cancel', buildId } satisfies Partial<NewCommand>),
    onSuccess: () => setAsking(false),
  })
  const isOver = cancel.error instanceof ApiError && cancel.error.status === 409
  const close = () => {
    setAsking(false)
    // This page did not receive the build's end: it is read again.
    if (isOver) void queries.invalidateQueries({ queryKey: ['build', buildId] })
  }
  return (
    <>
      <Button
        variant="default"
        size="xs"
        disabled={cancel.isSuccess}
        onClick={() => {
          // Why it was refused before does not apply this time.
          cancel.reset()
          setAsking(true)
        }}
      >
        {cancel.isSuccess ? text.cancelSent : text.cancel}
      </Button>
      <Modal
        opened={isAsking}
        onClose={close}
        title={text.cancelTitle}
        lockScroll={false}
        centered
        closeButtonProps={{ 'aria-label': keys.close }}
      >
        <p>{text.cancelText}</p>
        {cancel.isError && (
          <Alert color="red" mt="sm" role="alert">
            {text.cancelFailed} {cancel.error.message}
          </Alert>
        )}
        <div className={classes.actions}>
          <Button variant="default" onClick={close}>
            {isOver ? keys.close : text.cancelKeep}
          </Button>
          {!isOver && (
            <Button color="red" loading={cancel.isPending} onClick={() => cancel.mutate()} data-autofocus>
              {text.cancel}
            </Button>
          )}
        </div>
      </Modal>
    </>
  )
}
