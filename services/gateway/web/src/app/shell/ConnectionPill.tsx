/** Connection pill: whether what the page shows is live, always in sight. */
import { Tooltip } from '@mantine/core'
import { useLink } from '@/shared/api/app-context'
import { age, instant } from '@/shared/format'
import { link as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import classes from './ConnectionPill.module.css'

export function ConnectionPill() {
  const link = useLink()
  const now = useNow()
  const label = link.state === 'offline' ? text.offlineFor(age(now - link.since)) : text[link.state]
  return (
    <Tooltip label={`${text.hint[link.state]} (${instant(link.since)})`} multiline maw={280} position="bottom-end">
      <span
        className={classes.pill}
        data-testid="connection"
        data-state={link.state}
        tabIndex={0}
        role="note"
        aria-label={label}
      >
        <i className={classes.dot} />
        {label}
      </span>
    </Tooltip>
  )
}
