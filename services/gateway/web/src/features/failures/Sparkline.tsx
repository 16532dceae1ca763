/** Sparkline: builds a day as bars, today last. */
import { failures as text } from '@/shared/i18n'
import classes from './failures.module.css'

const BAR = 4
const GAP = 1

export function Sparkline({ days, height = 22 }: { days: readonly number[]; height?: number }) {
  const most = Math.max(1, ...days)
  const total = days.reduce((sum, each) => sum + each, 0)
  const label = text.sparkline(total, days.length)
  return (
    <svg className={classes.sparkline} width={days.length * (BAR + GAP)} height={height} role="img" aria-label={label}>
      <title>{label}</title>
      {days.map((builds, at) => {
        // A day with one build among days with hundreds is still a day with a build.
        const size = builds === 0 ? 1 : Math.max(3, Math.round((builds / most) * height))
        return (
          <rect
            key={at}
            x={at * (BAR + GAP)}
            y={height - size}
            width={BAR}
            height={size}
            rx={1}
            data-empty={builds === 0 || undefined}
          />
        )
      })}
    </svg>
  )
}
