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
import { statusName } from '@/shared/i18n'
import type { BuildStatus } from '@/shared/wire'
import classes from './StatusGlyph.module.css'

const ICONS: Record<Exclude<BuildStatus, 'running'>, Icon> = {
  queued: IconCircleDashed,
  succeeded: IconCircleCheckFilled,
  failed: IconCircleXFilled,
  cancelled: IconPlayerStopFilled,
  timed_out: IconClockFilled,
  lost: IconAlertTriangleFilled,
}

export function StatusGlyph({ status, size = 18 }: { status: BuildStatus; size?: number }) {
  const Icon = status === 'running' ? undefined : ICONS[status]
  return (
    <span className={classes.glyph} data-status={status} role="img" aria-label={statusName[status]}>
      {Icon ? <Icon size={size} /> : <Ring size={size} />}
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
