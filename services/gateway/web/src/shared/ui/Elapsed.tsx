/** Times of a build that tick while it runs; each re-renders alone. */
import { useLink } from '@/shared/api/app-context'
import { useSummary } from '@/shared/api/queries/history'
import { age, ago, duration, instant } from '@/shared/format'
import { ALMOST_MS, elapsedMs, remainingMs } from '@/shared/format/timing'
import { build as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import type { Build, LaneSummary } from '@/shared/wire'

export function Elapsed({ build }: { build: Build }) {
  const elapsed = elapsedMs(build, useNow())
  return <>{elapsed === undefined ? '–' : duration(build.status === 'running' ? wholeSeconds(elapsed) : elapsed)}</>
}

export function Remaining({ build }: { build: Build }) {
  const usual = useSummary().data?.items.find((lane) => isLaneOf(build, lane))?.usualMs
  const remaining = remainingMs(build, useNow(), usual)
  // Without a connection the build may have ended, or waited, for as long as that.
  const isLive = useLink().state === 'live'
  return remaining === undefined || !isLive ? null : (
    <span title={text.etaHint}>{remaining < ALMOST_MS ? text.almost : text.left(age(remaining))}</span>
  )
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
