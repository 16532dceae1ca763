/** Series: the days of a configuration as the columns a chart draws; a day without a build is a gap, not a zero. */
import type { Day, Trend } from '../wire'

const DAY_SECONDS = 86_400

export interface Series {
  /** Start of each day (UTC) in seconds, without a hole from the first to the last. */
  days: number[]
  p50Ms: (number | null)[]
  p90Ms: (number | null)[]
  /** Of the builds that have a colour, percent that succeeded. */
  succeeded: (number | null)[]
  /** The day's numbers by place, for what is said on hover. */
  facts: (Day | undefined)[]
}

/** The series from day `first` to day `last` (days since the epoch, UTC), so that all charts of a page share one axis. */
export function seriesOf(trend: Trend, first: number, last: number): Series {
  const known = new Map(trend.days.map((day) => [day.day, day]))
  const facts = Array.from({ length: last - first + 1 }, (_, at) => known.get(first + at))
  return {
    days: facts.map((_, at) => (first + at) * DAY_SECONDS),
    p50Ms: facts.map((day) => day?.p50Ms ?? null),
    p90Ms: facts.map((day) => day?.p90Ms ?? null),
    succeeded: facts.map((day) => (day === undefined ? null : successOf(day))),
    facts,
  }
}

/** First and last day of any trend; undefined when there is none. */
export function spanOf(trends: readonly Trend[]): { first: number; last: number } | undefined {
  const days = trends.flatMap((trend) => trend.days.map(({ day }) => day))
  if (days.length === 0) return undefined
  return { first: Math.min(...days), last: Math.max(...days) }
}

function successOf({ succeeded, failed }: Day): number | null {
  return succeeded + failed === 0 ? null : (100 * succeeded) / (succeeded + failed)
}
