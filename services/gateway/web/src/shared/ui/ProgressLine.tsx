/** Progress line: how far a build is, by the percent its agent reported. */
import { statusOf } from '@/shared/format/status'
import type { Build } from '@/shared/wire'
import classes from './ProgressLine.module.css'

export function ProgressLine({ build, size = 4 }: { build: Build; size?: number }) {
  const isKnown = build.progress != null
  const value = build.status === 'succeeded' ? 100 : (build.progress ?? 0)
  return (
    <div
      className={classes.track}
      role="progressbar"
      aria-label={`${build.project} ${statusOf(build)}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={isKnown ? Math.floor(value) : undefined}
      data-testid="progress"
      data-status={statusOf(build)}
      style={{ height: size }}
    >
      {/* The failing edges of a build that goes on are as true as its progress. */}
      <div
        className={classes.fill}
        data-unknown={!isKnown && build.status === 'running'}
        style={{ transform: isKnown || value > 0 ? `scaleX(${value / 100})` : undefined }}
      />
    </div>
  )
}
