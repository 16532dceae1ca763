/** Series: the days of a configuration as the columns a chart draws; a day without a build is a gap, not a zero. */
import type { Day, Mark, Trend } from '@/shared/wire'

const DAY_SECONDS = 86_400

/** What a chart can show of the days, and the mark of its lasting changes. */
export const MEASURES = {
  duration: 'duration_ms',
  memory: 'peak_rss_bytes',
  cpu: 'cpu_ms',
  disk: 'disk_bytes',
  cache: 'cache_hit_percent',
  tests: 'tests',
} satisfies Record<string, Mark['measure']>

export type Measure = keyof typeof MEASURES
type LineName = 'p50' | 'p90' | 'value' | 'failed'

interface Line {
  name: LineName
  values: (number | null)[]
}

export interface Series {
  /** Start of each day (UTC) in seconds, without a hole from the first to the last. */
  days: number[]
  /** At most two, the one that matters most last. */
  lines: Line[]
  /** Of the builds that have a colour, percent that succeeded. */
  succeeded: (number | null)[]
  /** The day's numbers by place, for what is shown on hover. */
  facts: (Day | undefined)[]
}

type Reading = readonly [LineName, (day: Day) => number | null | undefined]

const READINGS: Record<Measure, readonly Reading[]> = {
  duration: [
    ['p90', (day) => day.p90Ms],
    ['p50', (day) => day.p50Ms],
  ],
  memory: [['value', (day) => day.peakRssBytes]],
  cpu: [['value', (day) => day.cpuMs]],
  disk: [['value', (day) => day.diskBytes]],
  cache: [['value', cacheOf]],
  tests: [
    ['failed', (day) => day.testsFailed],
    ['value', testsOf],
  ],
}

/** The series from day `first` to day `last` (days since the epoch, UTC), so that all charts of a page share one axis. */
export function seriesOf(trend: Trend, first: number, last: number, measure: Measure = 'duration'): Series {
  const known = new Map(trend.days.map((day) => [day.day, day]))
  const facts = Array.from({ length: last - first + 1 }, (_, at) => known.get(first + at))
  const columnOf = (read: (day: Day) => number | null | undefined) =>
    facts.map((day) => (day === undefined ? null : (read(day) ?? null)))
  return {
    days: facts.map((_, at) => (first + at) * DAY_SECONDS),
    lines: READINGS[measure].map(([name, read]) => ({ name, values: columnOf(read) })),
    succeeded: columnOf(successOf),
    facts,
  }
}

/** Whether a series has anything to draw. */
export function isEmpty({ lines }: Series): boolean {
  return lines.every(({ values }) => values.every((value) => value === null))
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

function cacheOf({ cacheHits, cacheMisses }: Day): number | null {
  const lookups = (cacheHits ?? 0) + (cacheMisses ?? 0)
  return lookups === 0 ? null : (100 * (cacheHits ?? 0)) / lookups
}

function testsOf({ testsPassed, testsFailed }: Day): number | null {
  return testsPassed == null && testsFailed == null ? null : (testsPassed ?? 0) + (testsFailed ?? 0)
}

/** What changed lastingly in this measure first, the latest change before others; else as they came. */
export function changedFirst(trends: readonly Trend[], measure: string): Trend[] {
  const changedAt = ({ marks }: Trend) =>
    Math.max(0, ...marks.filter((mark) => mark.measure === measure).map(({ startedAt }) => startedAt))
  return [...trends].sort((a, b) => changedAt(b) - changedAt(a))
}
