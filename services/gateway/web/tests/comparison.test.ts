import { expect, test } from 'vitest'
import { changeOf } from '@/features/build/tab/change'
import { searchOf, tabOf } from '@/features/build/tab/tabs'
import { filterOf, paramsOf } from '@/features/build/tests/test-filter'
import {
  baselineOf,
  differences,
  failureSides,
  phaseTimes,
  stepTimes,
  wholeChange,
} from '@/features/build/compare/comparison'
import type { BuildDetail, FailureData } from '@/shared/wire'
import { buildRow } from './frames'

function detail(given: Partial<BuildDetail>): BuildDetail {
  return {
    ...buildRow({ id: 'a' }),
    submodules: [],
    pins: [],
    tools: {},
    environment: {},
    phases: [],
    sections: [],
    compileHotspots: [],
    configurationChanges: [],
    missingFacts: [],
    ...given,
  }
}

test('only facts that differ are differences, and a missing one is not an empty one', () => {
  expect(differences({ cc: 'clang 18', ninja: '1.11', ld: '' }, { cc: 'clang 19', ninja: '1.11', mold: '2' })).toEqual([
    { name: 'cc', here: 'clang 18', there: 'clang 19' },
    { name: 'ld', here: '', there: undefined },
    { name: 'mold', here: undefined, there: '2' },
  ])
})

test('failures are the same by their signature, in any words', () => {
  const failure = (signature: string, message: string) => ({ signature, message, category: 'compile' }) as FailureData
  const sides = failureSides(
    [failure('s1', 'at 0x12'), failure('s2', 'b')],
    [failure('s1', 'at 0x34'), failure('s3', 'c')],
  )

  expect(sides.both.map(({ signature }) => signature)).toEqual(['s1'])
  expect(sides.onlyHere.map(({ signature }) => signature)).toEqual(['s2'])
  expect(sides.onlyThere.map(({ signature }) => signature)).toEqual(['s3'])
})

test('phases add up, and steps are compared where both builds name them, the greatest change first', () => {
  const here = detail({
    endedAt: 10_000,
    phases: [
      { phase: 'build', startedAt: 0, endedAt: 2000 },
      { phase: 'test', startedAt: 2000, endedAt: 3000 },
      { phase: 'build', startedAt: 3000 },
    ],
    stepTimes: {
      count: 3,
      slowest: [
        { output: 'a.o', durationMs: 900 },
        { output: 'b.o', durationMs: 500 },
        { output: 'new.o', durationMs: 1 },
      ],
      criticalPath: [],
    },
  })
  const there = detail({
    stepTimes: {
      count: 2,
      slowest: [
        { output: 'a.o', durationMs: 800 },
        { output: 'b.o', durationMs: 2000 },
      ],
      criticalPath: [],
    },
  })

  expect(phaseTimes(here, there)).toEqual([
    { name: 'build', here: 9000, there: undefined },
    { name: 'test', here: 1000, there: undefined },
  ])
  expect(stepTimes(here, there)).toEqual([
    { name: 'b.o', here: 500, there: 2000 },
    { name: 'a.o', here: 900, there: 800 },
  ])
})

test('without a choice a build is compared with the last green one before it', () => {
  const build = buildRow({ id: 'now', startedAt: 500 })
  const older = [
    buildRow({ id: 'later', startedAt: 900, status: 'succeeded' }),
    buildRow({ id: 'green', startedAt: 100, status: 'succeeded' }),
    buildRow({ id: 'red', startedAt: 300, status: 'failed' }),
  ]

  expect(baselineOf(build, older)?.id).toBe('green')
  expect(baselineOf(build, older.slice(2))?.id).toBe('red')
  expect(baselineOf(build, older.slice(0, 1))).toBeUndefined()
})

test('a change within the noise is shown and not coloured', () => {
  expect(changeOf(20_000, 10_000)).toEqual({ text: '+100 %', tone: 'bad' })
  expect(changeOf(5000, 10_000)).toEqual({ text: '−50 %', tone: 'good' })
  expect(changeOf(10_400, 10_000)?.tone).toBeUndefined()
  expect(changeOf(300, 100)?.tone).toBeUndefined()
  expect(changeOf(300, undefined)).toBeUndefined()
})

test('a build that stopped early is not praised for being quick', () => {
  const times = { name: 'Whole build', here: 900, there: 51_000 }
  const [green, red] = [{ status: 'succeeded' }, { status: 'failed' }] as const

  expect(wholeChange(times, green, green)?.tone).toBe('good')
  expect(wholeChange(times, red, green)).toEqual({ text: '−98 %', tone: undefined })
})

test('a tab and what it shows survive in the address', () => {
  expect(tabOf(new URLSearchParams('tab=steps'))).toBe('steps')
  expect(tabOf(new URLSearchParams('compare=b'))).toBe('compare')
  expect(tabOf(new URLSearchParams('tab=nonsense'))).toBe('log')
  expect(searchOf('log')).toBe('')
  const filter = { outcomes: ['failed', 'flaky'], text: 'conv', sort: 'slowest' } as const
  expect(filterOf(paramsOf(filter))).toEqual(filter)
})
