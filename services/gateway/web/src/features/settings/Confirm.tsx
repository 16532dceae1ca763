/** Confirm: a button that asks before it does what cannot be undone. */
import { Button, Modal } from '@mantine/core'
import { useState } from 'react'
import { keys, settings as text } from '@/shared/i18n'
import { Failed } from '@/shared/ui/Failed'
import classes from './settings.module.css'

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
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={title}
        size="sm"
        lockScroll={false}
        closeButtonProps={{ 'aria-label': keys.close }}
      >
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
      </Modal>
    </>
  )
}
