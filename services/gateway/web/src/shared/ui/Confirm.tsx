/** Confirm: a button that asks before it does what cannot be undone. */
import { Button } from '@mantine/core'
import { useState } from 'react'
import { answer as text } from '@/shared/i18n'
import classes from './Confirm.module.css'
import { Dialog } from './Dialog'
import { Failed } from './Failed'

interface Props {
  label: string
  title: string
  explanation: string
  error: Error | null
  onConfirm: () => void
}

export function Confirm({ label, title, explanation, error, onConfirm }: Props) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button size="compact-xs" variant="default" onClick={() => setOpen(true)}>
        {label}
      </Button>
      {error !== null && <Failed error={error} />}
      <Dialog isOpen={isOpen} onClose={() => setOpen(false)} title={title} size="sm">
        <p>{explanation}</p>
        <div className={classes.confirm}>
          <Button size="xs" variant="default" onClick={() => setOpen(false)}>
            {text.keep}
          </Button>
          <Button
            size="xs"
            color="red"
            onClick={() => {
              setOpen(false)
              onConfirm()
            }}
          >
            {label}
          </Button>
        </div>
      </Dialog>
    </>
  )
}
