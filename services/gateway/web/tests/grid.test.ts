import { expect, test } from 'vitest'
import { resultOf, shownColumns, suspectRanges } from '@/features/grid/model'
import type { Cell, Column, CommitRow } from '@/shared/wire'

const row = (sha: string, ...cells: Cell[]): CommitRow => ({ project: 'p', branch: 'b', info: { sha }, cells })
const cell = (config: string, status: Cell['status'], more: Partial<Cell> = {}): Cell => ({
  config,
  buildId: config,
  status,
  colour: 'none',
  startedAt: 0,
  attempts: 1,
  bothWays: false,
  ...more,
})
const column = (config: string, more: Partial<Column> = {}): Column => ({
  config,
  colour: 'green',
  state: 'production',
  latestStatus: 'succeeded',
  redBuilds: 0,
  ...more,
})

test('the suspects are the commits after the last green one, up to the first red one', () => {
  const rows = ['e', 'd', 'c', 'b', 'a'].map((sha) => row(sha))
  const red = { colour: 'red', firstRed: 'd' } as const

  const [known, unbounded, elsewhere] = suspectRanges(
    [
      column('known', { ...red, lastGreen: 'b' }),
      column('unbounded', red),
      column('elsewhere', { colour: 'red', firstRed: 'z' }),
      column('green'),
    ],
    rows,
  )

  expect(known).toMatchObject({ suspects: ['d', 'c'], isWhole: true })
  expect(unbounded).toMatchObject({ suspects: ['d', 'c', 'b', 'a'], isWhole: false })
  expect(elsewhere).toMatchObject({ suspects: [], isWhole: false })
})

test('hiding green keeps what is red now and what was anything but a pass', () => {
  const columns = [column('release'), column('asan', { colour: 'red' }), column('gcc')]
  const rows = [row('a', cell('release', 'succeeded'), cell('gcc', 'timed_out'))]

  expect(shownColumns(columns, rows, '', true).map(({ config }) => config)).toEqual(['asan', 'gcc'])
  expect(shownColumns(columns, rows, 'AS', false).map(({ config }) => config)).toEqual(['release', 'asan'])
})

test('a pass after a failure of the same commit, and a fault of the machine, are shown apart', () => {
  expect(resultOf(cell('c', 'succeeded', { bothWays: true }))).toBe('retried')
  expect(resultOf(cell('c', 'failed', { fault: 'infra' }))).toBe('infra')
})
