/** Shown once: a secret that was just created, to be copied now or never. */
import { Button, CopyButton } from '@mantine/core'
import { settings as text } from '@/shared/i18n'
import classes from './ShownOnce.module.css'

interface Props {
  lead: string
  value: string
  testId: string
  onDone: () => void
}

export function ShownOnce({ lead, value, testId, onDone }: Props) {
  return (
    <div className={classes.created} role="status" data-testid={testId}>
      <p>{lead}</p>
      <code>{value}</code>
      <div className={classes.actions}>
        <CopyButton value={value}>
          {({ copied, copy }) => (
            <Button size="xs" onClick={copy}>
              {copied ? text.copied : text.copy}
            </Button>
          )}
        </CopyButton>
        <Button size="xs" variant="default" onClick={onDone}>
          {text.done}
        </Button>
      </div>
    </div>
  )
}
