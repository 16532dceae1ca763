import { expect, test } from 'vitest'
import { shortPlaceOf } from '@/shared/source/place'

const place = (file: string, cwd?: string) => shortPlaceOf({ file, line: 7, col: null }, cwd)

test('a place in the directory that was built in is named from there', () => {
  expect(place('/home/ci/loom/src/a.cpp', '/home/ci/loom')).toBe('src/a.cpp:7')
})

test('of a long path elsewhere the end is shown', () => {
  expect(place('/home/ci/jobs/17/loom/src/lowering/a.cpp')).toBe('…/loom/src/lowering/a.cpp:7')
  expect(place('C:\\jobs\\17\\work\\loom\\src\\a.cpp')).toBe('…/work/loom/src/a.cpp:7')
  expect(place('/home/ci/loomier/lib/ir/a.cpp', '/home/ci/loom')).toBe('…/loomier/lib/ir/a.cpp:7')
})

test('short and relative places stay as they are', () => {
  expect(place('/usr/include/math.h')).toBe('/usr/include/math.h:7')
  expect(place('mlir/lib/Dialect/Linalg/IR/LinalgOps.cpp')).toBe('mlir/lib/Dialect/Linalg/IR/LinalgOps.cpp:7')
})
