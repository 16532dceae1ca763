import { expect, test } from 'vitest'
import { cleaned, withChanges } from '@/shared/address/address'
import { chosen, completed, missingOf, namedIn, offered } from '@/shared/address/choice'
import { toFailure, toTest } from '@/shared/address/links'

const lane = (project: string, branch: string, config: string, startedAt = 0) => ({
  project,
  branch,
  config,
  latest: { startedAt },
})
const LANES = [
  lane('iree', 'main', 'asan', 50),
  lane('iree', 'main', 'release', 90),
  lane('llvm-mlir', 'main', 'release', 10),
  lane('llvm-mlir', 'release/19+x #1', 'release', 70),
  lane('llvm-mlir', 'release/19+x #1', 'debug', 60),
]
const named = (query: string) => namedIn(new URLSearchParams(query))

test('a project that is named is the one that is shown, and its branch that was built last', () => {
  expect(completed(named('project=llvm-mlir'), LANES)).toEqual({ project: 'llvm-mlir', branch: 'release/19+x #1' })
  expect(completed(named('project=iree&config=asan'), LANES)).toEqual({
    project: 'iree',
    branch: 'main',
    config: 'asan',
  })
  expect(completed(named('project=llvm-mlir&branch=main'), LANES)).toEqual({ project: 'llvm-mlir', branch: 'main' })
})

test('an unknown name is never another: it is shown to be missing', () => {
  for (const query of ['project=nope', 'project=IREE', 'project=iree%20main', 'project=..%2Fllvm-mlir']) {
    const shown = completed(named(query), LANES)
    expect(shown.project).toBe(new URLSearchParams(query).get('project'))
    expect(missingOf(shown, LANES)).toBe('project')
  }
  expect(missingOf(completed(named('project=iree&branch=nope'), LANES), LANES)).toBe('branch')
  expect(missingOf(completed(named('project=iree&config=debug'), LANES), LANES)).toBe('config')
  expect(missingOf(completed(named('branch=nope'), LANES), LANES)).toBe('branch')
  expect(missingOf(completed(named('project=iree&branch=main&config=asan'), LANES), LANES)).toBeUndefined()
})

test('where nothing is named the first project is, and a branch finds the project that has it', () => {
  expect(completed(named(''), LANES)).toEqual({ project: 'iree', branch: 'main' })
  expect(completed(named('branch=release/19%2Bx %231'), LANES).project).toBe('llvm-mlir')
  expect(completed(named(''), [])).toEqual({})
  expect(completed(named('project=iree'), [])).toEqual({ project: 'iree' })
})

test('a link that names project and branch in one is read as it was meant', () => {
  expect(named('branch=llvm-mlir+release/19')).toEqual({ project: 'llvm-mlir', branch: 'release/19' })
  expect(named('project=iree&branch=a+b')).toEqual({ project: 'iree', branch: 'a b' })
})

test('another project lets go of the branch and configuration, another branch only of what it has not', () => {
  const now = { project: 'llvm-mlir', branch: 'main', config: 'release' }

  expect(chosen('project', 'iree', now, LANES)).toEqual({ project: 'iree' })
  expect(chosen('branch', 'release/19+x #1', now, LANES)).toEqual({ branch: 'release/19+x #1', config: 'release' })
  expect(chosen('branch', 'main', { ...now, branch: 'release/19+x #1', config: 'debug' }, LANES)).toEqual({
    branch: 'main',
  })
  expect(chosen('config', undefined, now, LANES)).toEqual({})
})

test('what can be chosen belongs to what is chosen, and that is offered although it is not known', () => {
  expect(offered({ project: 'iree' }, LANES)).toEqual({
    project: ['iree', 'llvm-mlir'],
    branch: ['main'],
    config: ['asan', 'release'],
  })
  expect(offered({ project: 'nope', branch: 'b' }, LANES)).toEqual({
    project: ['iree', 'llvm-mlir', 'nope'],
    branch: ['b'],
    config: [],
  })
})

test('an address keeps each parameter once, and none that is empty', () => {
  const clean = cleaned(new URLSearchParams('project=b&project=a&days=7&measure=cpu&q=&config=x&toString=1'), {
    days: ['30', '90'],
    measure: ['cpu'],
    config: [],
  })

  expect(clean.toString()).toBe('project=b&measure=cpu&toString=1')
  expect(cleaned(clean, {}).toString()).toBe(clean.toString())
})

test('a change leaves the other parameters alone', () => {
  const changed = withChanges(new URLSearchParams('project=a&branch=b&q=x'), { project: 'c', branch: undefined })

  expect(changed.toString()).toBe('project=c&q=x')
})

test('links name project and branch however they are written', () => {
  const link = toTest('MLIR :: a+b&c.mlir', { project: 'p.1', branch: 'release/19+x #1' })
  expect(Object.fromEntries(new URLSearchParams(link.split('?')[1]))).toEqual({
    project: 'p.1',
    branch: 'release/19+x #1',
    name: 'MLIR :: a+b&c.mlir',
  })
  expect(toTest('t', { project: 'p', branch: null })).toBe('/tests?project=p&name=t')
  expect(toFailure('a/b', 'p')).toBe('/failures/a%2Fb?project=p')
})
