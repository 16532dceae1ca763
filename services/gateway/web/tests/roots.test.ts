import { expect, test } from 'vitest'
import { rootsOf } from '@/features/build/failures/roots'
import type { FailureData } from '@/shared/wire'

function failed(firstLine: number, rootLine?: number): FailureData {
  return { category: 'missing_header', message: 'ops.h.inc', firstLine, rootLine }
}

const linesOf = (failures: FailureData[]) =>
  rootsOf(failures).map(({ first, others }) => [first.firstLine, others.map((other) => other.firstLine)])

test('failures with one cause are one group, which stands where its first one stood', () => {
  expect(linesOf([failed(3, 3), failed(6, 6), failed(9, 3), failed(12, 3)])).toEqual([
    [3, [9, 12]],
    [6, []],
  ])
})

test('what nobody compared stands alone, and so does what an older server sent', () => {
  expect(linesOf([failed(3), failed(6), failed(9, 9)])).toEqual([
    [3, []],
    [6, []],
    [9, []],
  ])
})

test('a group whose first failure is not among those kept is a group all the same', () => {
  expect(linesOf([failed(9, 3), failed(12, 3)])).toEqual([[9, [12]]])
})
