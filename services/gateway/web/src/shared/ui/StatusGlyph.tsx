/** Status glyph: a build's status by shape and colour, so that neither has to be seen alone. */
import {
  IconAlertTriangleFilled,
  IconCircleCheckFilled,
  IconCircleDashed,
  IconCircleXFilled,
  IconClockFilled,
  IconPlayerStopFilled,
  type Icon,
} from '@tabler/icons-react'
import type { ShownStatus } from '@/shared/format/status'
import { shownStatusName } from '@/shared/i18n'
import classes from './StatusGlyph.module.css'

const ICONS: Record<Exclude<ShownStatus, 'running' | 'failing'>, Icon> = {
  queued: IconCircleDashed,
  succeeded: IconCircleCheckFilled,
  failed: IconCircleXFilled,
  cancelled: IconPlayerStopFilled,
  timed_out: IconClockFilled,
  lost: IconAlertTriangleFilled,
}

export function StatusGlyph({ status, size = 18 }: { status: ShownStatus; size?: number }) {
  const Icon = status === 'running' || status === 'failing' ? undefined : ICONS[status]
  return (
    <span
      className={`${classes.glyph} ${classes.ink}`}
      data-status={status}
      role="img"
      aria-label={shownStatusName[status]}
    >
      {Icon ? <Icon size={size} /> : <Ring size={size} />}
    </span>
  )
}

/** The status by its name, in its colour. */
export function StatusWord({
  status,
  className,
  testId,
}: {
  status: ShownStatus
  className?: string
  testId?: string
}) {
  return (
    <span className={`${classes.ink} ${className}`} data-status={status} data-testid={testId}>
      {shownStatusName[status]}
    </span>
  )
}

function Ring({ size }: { size: number }) {
  return (
    <svg className={classes.ring} width={size} height={size} viewBox="0 0 24 24" fill="none" aria-hidden="true">
      <circle cx="12" cy="12" r="9" stroke="currentColor" strokeWidth="3.5" opacity="0.25" />
      <path d="M12 3a9 9 0 0 1 9 9" stroke="currentColor" strokeWidth="3.5" strokeLinecap="round" />
    </svg>
  )
}
