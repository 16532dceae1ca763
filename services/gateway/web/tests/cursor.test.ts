import { expect, test } from 'vitest'
import { advance, stepOf } from '@/features/build/log/model/cursor'
import { logFrame } from './frames'

const at = { seq: 10, total: 100 }

test('a frame that is known already is dropped', () => {
  expect(stepOf(at, logFrame({ afterSeq: 8, seq: 10, firstLine: 99, lines: ['a', 'b'] }))).toEqual({ do: 'drop' })
})

test('the frame that follows is appended whole', () => {
  const step = stepOf(at, logFrame({ afterSeq: 10, seq: 12, firstLine: 101, lines: ['a', 'b', 'c'] }))

  expect(step).toEqual({ do: 'append', skip: 0, cursor: { seq: 12, total: 103 }, isCertain: true })
})

test('a frame that repeats known lines adds only its new ones', () => {
  const step = stepOf(at, logFrame({ afterSeq: 9, seq: 11, firstLine: 99, lines: ['99', '100', '101'] }))

  expect(step).toMatchObject({ do: 'append', skip: 2, cursor: { seq: 11, total: 101 } })
})

test('missing lines are read again from the first that is missing', () => {
  const step = stepOf(at, logFrame({ afterSeq: 14, seq: 15, firstLine: 120, lines: ['a'] }))

  expect(step).toEqual({ do: 'reread', from: 101, cursor: { seq: 15, total: 120 } })
})

test('the rest of the last line is appended to it when nothing lies between', () => {
  const step = stepOf(at, logFrame({ afterSeq: 10, seq: 11, firstLine: 100, lines: ['rest', 'next'], continues: true }))

  expect(step).toMatchObject({ do: 'append', skip: 0, cursor: { seq: 11, total: 101 } })
})

test('the rest of a line is read again when a piece before it may be missing', () => {
  const step = stepOf(at, logFrame({ afterSeq: 12, seq: 13, firstLine: 100, lines: ['rest'], continues: true }))

  expect(step).toMatchObject({ do: 'reread', from: 100 })
})

test('lines that follow over records without lines are shown, and doubted until read again', () => {
  const step = stepOf(at, logFrame({ afterSeq: 13, seq: 14, firstLine: 101, lines: ['a'] }))

  expect(step).toMatchObject({ do: 'append', isCertain: false })
})

test('records without lines move the cursor when the row reports no more lines', () => {
  expect(advance(at, { asOfSeq: 13, logLines: 100 })).toEqual({ seq: 13, total: 100 })
  expect(advance(at, { asOfSeq: 13, logLines: 104 })).toEqual(at)
})
