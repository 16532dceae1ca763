import { expect, test } from 'vitest'
import { changedFirst, isEmpty, seriesOf, spanOf } from '@/features/trends/series'
import type { Trend } from '@/shared/wire'

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
  expect(series.lines.find(({ name }) => name === 'p50')?.values).toEqual([5, null, null])
  expect(series.succeeded).toEqual([75, null, null])
  expect(series.facts[1]).toBeUndefined()
})

test('all charts of a page span the days of all of them', () => {
  expect(spanOf([trend({ day: 4 }), trend({ day: 9 }, { day: 2 })])).toEqual({ first: 2, last: 9 })
  expect(spanOf([trend()])).toBeUndefined()
})

test('a measure is drawn of the days that reported it, a rate of what was counted that day', () => {
  const days = trend({ day: 1, cacheHits: 3, cacheMisses: 1 }, { day: 2, testsPassed: 8, testsFailed: 2 })
  const valuesOf = (measure: 'cache' | 'tests' | 'memory') => seriesOf(days, 1, 2, measure).lines.at(-1)?.values

  expect(valuesOf('cache')).toEqual([75, null])
  expect(valuesOf('tests')).toEqual([null, 10])
  expect(isEmpty(seriesOf(days, 1, 2, 'memory'))).toBe(true)
  expect(isEmpty(seriesOf(days, 1, 2, 'cache'))).toBe(false)
})

test('what changed lastingly in the shown measure is drawn first', () => {
  const marked = (config: string, measure: 'duration_ms' | 'tests', startedAt: number): Trend => {
    const mark = { measure, buildId: config, startedAt, direction: 'up', before: 1, after: 2 } as Trend['marks'][number]
    return { ...trend(), config, marks: [mark] }
  }
  const trends = [{ ...trend(), config: 'calm' }, marked('old', 'duration_ms', 1), marked('new', 'duration_ms', 9)]

  const order = changedFirst([...trends, marked('other', 'tests', 99)], 'duration_ms').map(({ config }) => config)

  expect(order).toEqual(['new', 'old', 'calm', 'other'])
})
