import { expect, test } from 'vitest'
import { RowMap } from '@/features/build/log/model/row-map'
import { hiddenBy, hiderOf, sectionsOf } from '@/features/build/log/model/sections'
import { Viewport } from '@/features/build/log/model/viewport'
import type { PhaseSpan, Section as SourceSection } from '@/shared/wire'

const PHASES: PhaseSpan[] = [
  { phase: 'configure', startedAt: 0, endedAt: 4000, firstLine: 1 },
  { phase: 'build', startedAt: 4000, firstLine: 101 },
  { phase: 'test', startedAt: 9000, firstLine: 901 },
]

const PHASED = { phases: PHASES, sections: [], logLines: 1000 }

test('each phase that printed is a section up to the next one, the last up to wherever the log goes', () => {
  expect(sectionsOf(PHASED).map(({ phase, first, last, tookMs }) => [phase, first, last, tookMs])).toEqual([
    ['configure', 1, 100, 4000],
    ['build', 101, 900, 5000],
    ['test', 901, Infinity, undefined],
  ])
  expect(sectionsOf({ ...PHASED, phases: [{ phase: 'link', startedAt: 1 }] })).toEqual([])
})

test('a CI that names its steps is shown by them; one that printed nothing is named by the section behind it', () => {
  const steps: SourceSection[] = [
    { name: 'worker_preparation', firstLine: 1, result: 'succeeded' },
    { name: 'build', firstLine: 1, startedAt: 1000, endedAt: 5000, result: 'failed', url: 'https://ci.example/1' },
    { name: 'test', firstLine: 41, startedAt: 5000, result: 'succeeded' },
    { name: 'upload', firstLine: 51, result: 'error' },
  ]
  const sections = sectionsOf({ ...PHASED, sections: steps, logLines: 50 })

  expect(sections.map(({ name, first, last, silent }) => [name, first, last, silent.map((step) => step.name)])).toEqual(
    [
      ['build', 1, 40, ['worker_preparation']],
      ['test', 41, 50, ['upload']],
    ],
  )
  expect(sections[0]).toMatchObject({ result: 'failed', tookMs: 4000, url: 'https://ci.example/1' })
  expect(sections[1]?.silent[0]?.result).toBe('error')
})

test('a folded section keeps the row of its heading, and a line in it is known to be hidden by it', () => {
  const sections = sectionsOf(PHASED)
  const folded = new Set([101])

  expect(hiddenBy(sections, folded)).toEqual([{ first: 102, last: 900 }])
  expect(hiderOf(sections, folded, 500)?.first).toBe(101)
  expect(hiderOf(sections, folded, 50)).toBeUndefined()
})

test('rows and lines map onto each other around hidden lines', () => {
  const rows = new RowMap()
  rows.setTotal(20)
  rows.setRows(3, 2)
  rows.setRows(8, 9)
  rows.setHidden([
    { first: 6, last: 10 },
    { first: 18, last: Infinity },
  ])

  expect(rows.rows).toBe(20 - 5 - 3 + 1)
  expect([1, 3, 4, 5, 6, 10, 11, 17].map((line) => rows.topOf(line))).toEqual([0, 2, 4, 5, 6, 6, 6, 12])
  expect([0, 3, 5, 6, 12, 99].map((row) => rows.lineAt(row))).toEqual([1, 3, 5, 11, 17, 17])
  expect(rows.shown(4, 20)).toEqual([4, 5, 11, 12, 13, 14, 15, 16, 17])
  expect(rows.shown(7, 12)).toEqual([11, 12])
  expect([5, 8, 11, 20].map((line) => rows.rowsOf(line))).toEqual([1, 0, 1, 0])
  expect([1, 6, 8, 11, 17].map((line) => rows.shownBefore(line))).toEqual([0, 5, 5, 5, 11])
})

test('folding millions of lines keeps the line at the top where it is', () => {
  const viewport = new Viewport(20, false)
  viewport.measure(2_000_000, 600)
  viewport.goTo(1_500_000)
  const before = viewport.visible()

  viewport.rearrange((rows) => rows.setHidden([{ first: 1001, last: 1_400_000 }]))

  expect(viewport.visible().first).toBe(before.first)
  expect(viewport.visible().last).toBe(before.last)
})

test('a hidden line is stood for by the line that holds its heading', () => {
  const rows = new RowMap()
  rows.setTotal(20)
  rows.setHidden([{ first: 6, last: 10 }])

  expect([5, 6, 10, 11].map((line) => rows.standIn(line))).toEqual([5, 5, 5, 11])
})

test('a log that grows stays folded at its end', () => {
  const rows = new RowMap()
  rows.setTotal(100)
  rows.setHidden([{ first: 51, last: Infinity }])
  rows.setTotal(5000)

  expect(rows.rows).toBe(50)
  expect(rows.lineAt(4000)).toBe(50)
})
