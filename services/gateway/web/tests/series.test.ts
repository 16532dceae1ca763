import { expect, test } from 'vitest'
import { seriesOf, spanOf } from '../src/trends/series'
import type { Trend } from '../src/wire'

function trend(...days: Partial<Trend['days'][number]>[]): Trend {
  const empty = { project: 'p', branch: 'b', config: 'c', day: 0, builds: 1, infra: 0, lost: 0, other: 0, running: 0 }
  return {
    project: 'p',
    branch: 'b',
    config: 'c',
    days: days.map((day) => ({ ...empty, succeeded: 0, failed: 0, buildMs: 0, ...day })),
    marks: [],
  }
}

test('a day without builds is a gap, and a day without a result has no share that succeeded', () => {
  const series = seriesOf(trend({ day: 10, succeeded: 3, failed: 1, p50Ms: 5 }, { day: 12, other: 1 }), 10, 12)

  expect(series.days).toEqual([864_000, 950_400, 1_036_800])
  expect(series.p50Ms).toEqual([5, null, null])
  expect(series.succeeded).toEqual([75, null, null])
  expect(series.facts[1]).toBeUndefined()
})

test('all charts of a page span the days of all of them', () => {
  expect(spanOf([trend({ day: 4 }), trend({ day: 9 }, { day: 2 })])).toEqual({ first: 2, last: 9 })
  expect(spanOf([trend()])).toBeUndefined()
})
