/** Form: fields beside each other, the button that sends them, and why the server refused. */
import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { Failed } from './Failed'
import classes from './form.module.css'

interface Props {
  /** What the button does. */
  action: string
  isIncomplete?: boolean
  sending: { isPending: boolean; error: Error | null }
  onSubmit: () => void
  /** The fields. */
  children: ReactNode
}

export function Form({ action, isIncomplete = false, sending, onSubmit, children }: Props) {
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault()
        onSubmit()
      }}
    >
      {children}
      <Button size="xs" type="submit" disabled={isIncomplete} loading={sending.isPending}>
        {action}
      </Button>
      {sending.error !== null && <Failed error={sending.error} />}
    </form>
  )
}
