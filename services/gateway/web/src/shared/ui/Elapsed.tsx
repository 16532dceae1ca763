/** Times of a build that tick while it runs; each re-renders alone. */
import { useSummary } from '@/shared/api/queries/history'
import { age, ago, duration, instant } from '@/shared/format'
import { elapsedMs, remainingMs } from '@/shared/format/timing'
import { build as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import type { Build, LaneSummary } from '@/shared/wire'

/** Nearer to the end no number is right. */
const ALMOST_MS = 5000

export function Elapsed({ build }: { build: Build }) {
  const elapsed = elapsedMs(build, useNow())
  return <>{elapsed === undefined ? '–' : duration(build.status === 'running' ? wholeSeconds(elapsed) : elapsed)}</>
}

export function Remaining({ build }: { build: Build }) {
  const usual = useSummary().data?.items.find((lane) => isLaneOf(build, lane))?.usualMs
  const remaining = remainingMs(build, useNow(), usual)
  return remaining === undefined ? null : (
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
