import { statusOf } from '@/shared/format/status'
import { expect, test } from 'vitest'
import { ALMOST_MS, beganAt, elapsedMs, overAt, remainingMs } from '@/shared/format/timing'
import * as format from '@/shared/format'
import { backoffMs } from '@/shared/live/backoff'
import { buildRow } from './frames'

test('the wait between tries doubles, is spread, and has an end', () => {
  expect([1, 2, 3].map((failures) => backoffMs(failures, 0.5))).toEqual([300, 600, 1200])
  expect(backoffMs(50, 0.999)).toBeLessThanOrEqual(15_000)
  expect(backoffMs(1, 0)).toBeGreaterThan(0)
})

test('an estimate is made from the pace so far, and none where there is none', () => {
  const build = buildRow({ id: 'a', startedAt: 0, progress: 25 })

  expect(remainingMs(build, 60_000)).toBe(180_000)
  expect(remainingMs({ ...build, progress: 0.5 }, 60_000)).toBeUndefined()
  expect(remainingMs({ ...build, status: 'failed' }, 60_000)).toBeUndefined()
  expect(elapsedMs({ ...build, status: 'lost', updatedAt: 5000 }, 60_000)).toBe(5000)
})

test('what is counted from now and put in order goes by the time of the server, a length by that of the machine', () => {
  const ahead = buildRow({ id: 'a', startedAt: 900_000, serverStartedAt: 10_000 })
  const ended = { ...ahead, status: 'failed' as const, endedAt: 905_000, serverEndedAt: 15_000 }

  expect([beganAt(ahead), overAt(ahead), elapsedMs(ahead, 60_000)]).toEqual([10_000, undefined, 50_000])
  expect([beganAt(ended), overAt(ended), elapsedMs(ended, 60_000)]).toEqual([10_000, 15_000, 5000])
  expect(overAt({ startedAt: 1, endedAt: 2 })).toBe(2)
  expect(beganAt({})).toBeUndefined()
})

test('before a pace is known, what the configuration usually takes counts, until that is over', () => {
  const build = buildRow({ id: 'a', startedAt: 0, progress: 0 })

  expect(remainingMs(build, 60_000, 100_000)).toBe(40_000)
  expect(remainingMs(build, 200_000, 100_000)).toBeUndefined()
  expect(remainingMs({ ...build, progress: 50 }, 60_000, 100_000)).toBe(60_000)
})

test('what the agent expects goes before the pace, and ticks down between its words', () => {
  const build = buildRow({ id: 'a', startedAt: 0, progress: 25, remainingMs: 30_000, updatedAt: 50_000 })

  expect(remainingMs(build, 60_000)).toBe(20_000)
  expect(remainingMs(build, 81_000)).toBe(0)
})

test('no end is near where nobody can know', () => {
  const expected = buildRow({ id: 'a', startedAt: 0, progress: 99, remainingMs: 30_000, updatedAt: 50_000 })
  const paced = buildRow({ id: 'a', startedAt: 0, progress: 99.9 })

  expect(remainingMs(expected, 500_000)).toBeUndefined() // the last step takes longer than it ever did
  expect(remainingMs({ ...expected, connected: false }, 60_000)).toBeUndefined()
  expect(remainingMs({ ...paced, connected: false }, 60_000)).toBeUndefined()
  expect(remainingMs(paced, 600_000)).toBe(ALMOST_MS) // shown as a time: it may be a long link
})

test('times and sizes read like a person wrote them', () => {
  expect([0, 2500, 59_000, 61_000, 3_661_000].map(format.duration)).toEqual(['0 s', '2.5 s', '59 s', '1:01', '1:01:01'])
  expect([500, 4.5 * 2 ** 20, 11.2e9].map(format.bytes)).toEqual(['500 B', '4.5 MiB', '10.4 GiB'])
  expect([1000, 90_000, 7.2e6].map(format.ago)).toEqual(['just now', '1 min ago', '2 h ago'])
})

test('a build is failing only while it runs', () => {
  expect(statusOf(buildRow({ id: 'a', failing: true }))).toBe('failing')
  expect(statusOf(buildRow({ id: 'a', failing: true, status: 'cancelled' }))).toBe('cancelled')
  expect(statusOf(buildRow({ id: 'a' }))).toBe('running')
})
