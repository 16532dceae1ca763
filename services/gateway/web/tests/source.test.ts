import { expect, test } from 'vitest'
import { piecesOf } from '@/features/build/log/model/pieces'
import { parseAnsi } from '@/shared/format/ansi'
import { mentionsIn } from '@/shared/source/mentions'
import { quoted, reproOf } from '@/shared/source/command-line'
import { SourceTree } from '@/shared/source/source-tree'
import type { BuildDetail, FailureData } from '@/shared/wire'

const SHA = '0123456789abcdef0123456789abcdef01234567'
const FACTS = {
  repository: 'https://github.com/llvm/torch-mlir.git',
  commit: SHA,
  cwd: '/home/ci/torch-mlir',
  command: ['ninja', '-C', 'build'],
  submodules: [{ path: 'externals/llvm-project', commit: SHA }],
}

function urlOf(file: string, line: number | undefined, facts: Partial<typeof FACTS> = {}) {
  return SourceTree.of({ ...FACTS, ...facts })?.urlOf(file, line)
}

test('a place in the tree is a link to that line at the commit that was built', () => {
  const address = `https://github.com/llvm/torch-mlir/blob/${SHA}/lib/Conversion/Op%20s.cpp#L12`

  expect(urlOf('/home/ci/torch-mlir/lib/Conversion/Op s.cpp', 12)).toBe(address)
  // Tools that work in the build directory name files as seen from there.
  expect(urlOf('../lib/Conversion/Op s.cpp', 12)).toBe(address)
  expect(urlOf('../lib/Conversion/Op s.cpp', 12, { cwd: '/home/ci/torch-mlir/build', command: ['ninja'] })).toBe(
    address,
  )
  expect(urlOf('../lib/Conversion/Op s.cpp', 12, { command: ['./build.sh'] })).toBe(address)
  expect(urlOf('../../lib/Conversion/Op s.cpp', 12, { command: ['sh', '-ec', 'cmake --build out/x'] })).toBe(address)
  expect(urlOf('CMakeLists.txt', undefined, { command: ['cmake', '-S', '.'] })).toBe(
    `https://github.com/llvm/torch-mlir/blob/${SHA}/CMakeLists.txt`,
  )
})

test('what is not a file of the repository is no link', () => {
  expect(urlOf('/usr/include/c++/12/vector', 3)).toBeUndefined()
  expect(urlOf('/home/ci/torch-mlir/build/include/Ops.h.inc', 3)).toBeUndefined()
  expect(urlOf('/home/ci/torch-mlir/externals/llvm-project/mlir/IR.cpp', 3)).toBeUndefined()
  expect(urlOf('../../other/x.cpp', 3)).toBeUndefined()
  expect(urlOf('lib/x.cpp', 3, { repository: 'https://git.example.org/a/b' })).toBeUndefined()
})

test('hosts are known by the ways in which git names them, and no credentials reach a link', () => {
  const of = (repository: string) => urlOf('/home/ci/torch-mlir/a.cpp', 1, { repository })

  expect(of('git@github.com:llvm/torch-mlir.git')).toBe(`https://github.com/llvm/torch-mlir/blob/${SHA}/a.cpp#L1`)
  expect(of('https://user:secret@github.com/llvm/torch-mlir')).toBe(
    `https://github.com/llvm/torch-mlir/blob/${SHA}/a.cpp#L1`,
  )
  expect(of('ssh://git@gitlab.com:22/group/sub/torch-mlir.git')).toBe(
    `https://gitlab.com/group/sub/torch-mlir/-/blob/${SHA}/a.cpp#L1`,
  )
  expect(of('javascript:alert(1)//github.com/x/y')).toBeUndefined()
})

test('places are found as compilers, CMake, MSVC and Python write them', () => {
  const places = (text: string) => mentionsIn(text).map(({ file, line }) => [file, line])

  expect(places("../lib/Ops.cpp:120:15: error: no member named 'x'")).toEqual([['../lib/Ops.cpp', 120]])
  expect(places('CMake Error at cmake/Find.cmake:12 (message):')).toEqual([['cmake/Find.cmake', 12]])
  expect(places('D:/a/src/x.cpp(33,5): error C2065')).toEqual([['/a/src/x.cpp', 33]])
  expect(places('  File "/w/tools/gen.py", line 7, in <module>')).toEqual([['/w/tools/gen.py', 7]])
  expect(places('[12/30] Building CXX object lib/a.cpp.o at 10:32:11')).toEqual([])
})

test('a hostile line costs no more than its length', () => {
  const began = performance.now()
  mentionsIn('a.'.repeat(500_000) + 'cpp:1')
  mentionsIn('./'.repeat(500_000))
  mentionsIn('File "'.repeat(100_000))

  expect(performance.now() - began).toBeLessThan(200)
})

test('a line is cut at colours, hits and places, also where they overlap', () => {
  const tree = SourceTree.of(FACTS)
  const { spans } = parseAnsi('\x1b[1m../lib/a.cpp:3:1: \x1b[31merror: \x1b[0mbad a.cpp')
  const pieces = piecesOf(spans, 'A.CPP', tree)

  expect(pieces.map((piece) => piece.text).join('')).toBe('../lib/a.cpp:3:1: error: bad a.cpp')
  expect(pieces.filter((piece) => piece.isHit).map((piece) => piece.text)).toEqual(['a.cpp', 'a.cpp'])
  const linked = pieces.filter((piece) => piece.href !== undefined)
  expect(linked.map((piece) => piece.text).join('')).toBe('../lib/a.cpp:3:1')
})

test('the commands to see a failure again survive a shell', () => {
  const build = { ...FACTS, cwd: "/home/ci/it's" } as unknown as BuildDetail
  const commands = reproOf(build, { command: 'c++ -c a.cpp' } as FailureData)

  expect(commands).toContain(`git checkout ${SHA}`)
  expect(commands).toContain("cd '/home/ci/it'\\''s'")
  expect(commands.endsWith('c++ -c a.cpp')).toBe(true)
  expect([quoted('-DX=1'), quoted('a b'), quoted('$HOME')]).toEqual(['-DX=1', "'a b'", "'$HOME'"])
})
