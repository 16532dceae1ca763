import { countsOf, runsOf } from '@/features/builds/runs'
import { expect, test } from 'vitest'
import { MAX_ROWS, mergedList, newest, NO_ROWS, withRows } from '@/shared/live/rows'
import type { Build } from '@/shared/wire'
import { buildRow } from './frames'

test('the greater revision wins, whichever came last', () => {
  const rows = withRows(NO_ROWS, [buildRow({ id: 'a', revision: 5, progress: 50 })])

  expect(withRows(rows, [buildRow({ id: 'a', revision: 4, progress: 40 })])).toBe(rows)
  expect(newest(buildRow({ id: 'a', revision: 6, progress: 60 }), rows).progress).toBe(60)
  expect(newest(buildRow({ id: 'a', revision: 3, progress: 30 }), rows).progress).toBe(50)
})

test('what runs stands first, then the latest start', () => {
  const read = [
    buildRow({ id: 'old', status: 'failed', startedAt: 1 }),
    buildRow({ id: 'new', status: 'succeeded', startedAt: 9 }),
    buildRow({ id: 'runs', status: 'running', startedAt: 2 }),
  ]

  expect(mergedList(read, [], NO_ROWS, {}, true).map((build) => build.id)).toEqual(['runs', 'new', 'old'])
})

test('a new build appears by being pushed, and only where the filter lets it', () => {
  const rows = withRows(NO_ROWS, [buildRow({ id: 'n', project: 'iree', startedAt: 5 })])

  expect(mergedList([], [], rows, { project: 'iree' }, true)).toHaveLength(1)
  expect(mergedList([], [], rows, { project: 'llvm' }, true)).toHaveLength(0)
})

test('a build leaves a list of running builds when it ends', () => {
  const rows = withRows(NO_ROWS, [buildRow({ id: 'a', status: 'failed', revision: 2 })])

  expect(mergedList([buildRow({ id: 'a' })], [], rows, { status: 'running' }, true)).toEqual([])
})

test('a pushed row that belongs to a page not read yet waits for that page', () => {
  const rows = withRows(NO_ROWS, [buildRow({ id: 'ancient', status: 'failed', startedAt: 1 })])

  expect(mergedList([buildRow({ id: 'a', startedAt: 100 })], [], rows, {}, false).map(({ id }) => id)).toEqual(['a'])
})

test('rows stay bounded, and the running ones stay', () => {
  const ended = Array.from({ length: MAX_ROWS + 50 }, (_, at) =>
    buildRow({ id: `${at}`, status: 'failed', startedAt: at }),
  )

  const rows = withRows(NO_ROWS, [...ended, buildRow({ id: 'runs', startedAt: 0 })])

  expect(rows.size).toBe(MAX_ROWS)
  expect(rows.has('runs')).toBe(true)
})

test('a build that has run for long is listed first, beside any page', () => {
  const read = [buildRow({ id: 'new', status: 'failed', startedAt: 100 })]

  expect(mergedList(read, [buildRow({ id: 'slow', startedAt: 1 })], NO_ROWS, {}, false)[0]?.id).toBe('slow')
})

test('what the server found by text is listed, also where the row alone would not match', () => {
  const read = [buildRow({ id: 'a', status: 'failed' })]

  expect(mergedList(read, [], NO_ROWS, { text: 'only-in-the-log' }, true)).toHaveLength(1)
})

test('what will fail is listed before what only runs', () => {
  const rows = [buildRow({ id: 'runs', startedAt: 9 }), buildRow({ id: 'fails', startedAt: 1, failing: true })]

  expect(mergedList([], rows, NO_ROWS, {}, true).map(({ id }) => id)).toEqual(['fails', 'runs'])
})

test('many builds of one commit are one row that counts them, the worst first; few stand alone', () => {
  const of = (commit: string | null, ids: string[], status: Build['status'] = 'succeeded') =>
    ids.map((id) => buildRow({ id, commit, status }))
  const many = [...of('a', ['1', '2', '3', '4', '5']), ...of('a', ['6'], 'failed')]

  const runs = runsOf([...of('b', ['7', '8']), ...many, ...of(null, ['9', '10', '11', '12', '13', '14'])])

  expect(runs.map(({ builds, isFolded }) => [builds.length, isFolded])).toEqual([
    [1, false],
    [1, false],
    [6, true],
    ...Array.from({ length: 6 }, () => [1, false]),
  ])
  expect(countsOf(many)).toEqual([
    ['failed', 1],
    ['succeeded', 5],
  ])
})
