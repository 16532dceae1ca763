/** Cancel button: asks once, then orders the agent to stop the build. */
import { Alert, Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ApiError } from '@/shared/api/client'
import { build as text, keys } from '@/shared/i18n'
import { Dialog } from '@/shared/ui/Dialog'
import classes from '@/shared/ui/dialog.module.css'
import { useCancel } from './useCancel'

export function CancelButton({ buildId }: { buildId: string }) {
  const queries = useQueryClient()
  const [isAsking, setAsking] = useState(false)
  const cancel = useCancel(buildId, () => setAsking(false))
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
      <Dialog isOpen={isAsking} onClose={close} title={text.cancelTitle}>
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
      </Dialog>
    </>
  )
}
