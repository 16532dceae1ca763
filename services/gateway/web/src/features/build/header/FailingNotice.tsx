/** Failing notice: a running build that cannot end green any more: stop it now, or let it finish. */
import { Button } from '@mantine/core'
import { useState } from 'react'
import { build as text } from '@/shared/i18n'
import type { Build } from '@/shared/wire'
import classes from './BuildHeader.module.css'
import { useCancel } from './useCancel'

export function FailingNotice({ build }: { build: Build }) {
  const cancel = useCancel(build.id)
  const [isKept, setKept] = useState(false)
  return (
    <div className={classes.failing} role="status" data-testid="failing">
      <strong>{text.willFail}</strong>
      <span>{text.failedSteps(build.failureCount)}</span>
      {isKept ? (
        <span>{text.goesOn}</span>
      ) : (
        <span className={classes.choices}>
          <Button
            size="xs"
            color="red"
            loading={cancel.isPending}
            disabled={cancel.isSuccess}
            onClick={() => cancel.mutate()}
          >
            {cancel.isSuccess ? text.cancelSent : text.stopNow}
          </Button>
          {!cancel.isSuccess && (
            <Button size="xs" variant="default" onClick={() => setKept(true)}>
              {text.letFinish}
            </Button>
          )}
        </span>
      )}
      {cancel.isError && (
        <span role="alert">
          {text.cancelFailed} {cancel.error.message}
        </span>
      )}
    </div>
  )
}
