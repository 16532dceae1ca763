/** Times of a build that tick while it runs; each re-renders alone. */
import { useLink } from '@/shared/api/app-context'
import { useSummary } from '@/shared/api/queries/history'
import { age, ago, duration, instant } from '@/shared/format'
import { ALMOST_MS, elapsedMs, remainingMs } from '@/shared/format/timing'
import { build as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import type { Build, LaneSummary } from '@/shared/wire'

/** The time up to which the page knows anything: without a connection that is when it was lost. */
export function useKnownNow(): number {
  const now = useNow()
  const { state, since } = useLink()
  return state === 'offline' ? Math.min(now, since) : now
}

export function Elapsed({ build }: { build: Build }) {
  const elapsed = elapsedMs(build, useKnownNow())
  return <>{elapsed === undefined ? '–' : duration(build.status === 'running' ? wholeSeconds(elapsed) : elapsed)}</>
}

export function Remaining({ build }: { build: Build }) {
  const usual = useSummary().data?.items.find((lane) => isLaneOf(build, lane))?.usualMs
  const remaining = remainingMs(build, useNow(), usual)
  // Without a connection the build may have ended, or waited, for as long as that.
  const { state } = useLink()
  const isLive = state === 'live' || state === 'polling'
  return remaining === undefined || !isLive ? null : (
    <span title={text.etaHint} data-testid="remaining">
      {remainingText(remaining, build.failing)}
    </span>
  )
}

/** An end that is known to be a bad one is not announced like a good one. */
function remainingText(ms: number, isFailing: boolean): string {
  if (ms < ALMOST_MS) return isFailing ? text.failsSoon : text.almost
  return isFailing ? text.failsIn(age(ms)) : text.left(age(ms))
}

export function Ago({ at }: { at: number | null | undefined }) {
  const now = useNow()
  if (at == null) return <>–</>
  return (
    <time dateTime={new Date(at).toISOString()} title={instant(at)}>
      {ago(now - at)}
    </time>
  )
}

function isLaneOf(build: Build, lane: LaneSummary): boolean {
  return lane.project === build.project && lane.branch === build.branch && lane.config === build.config
}

function wholeSeconds(ms: number): number {
  return ms < 10_000 ? Math.floor(ms / 1000) * 1000 : ms
}
