import { expect, test } from 'vitest'
import { breaksOf } from '@/features/commits/breaks'
import { excerptOf } from '@/shared/source/excerpt'
import type { ConfigAnswer } from '@/shared/wire'

test('an excerpt holds the failure with some lines around it, and never more than a screen', () => {
  expect(excerptOf({ firstLine: 40, lastLine: 42 })).toEqual({ first: 37, count: 9, from: 40, to: 42 })
  expect(excerptOf({ firstLine: 2, lastLine: null })).toEqual({ first: 1, count: 5, from: 2, to: 2 })
  expect(excerptOf({ firstLine: 40, lastLine: 900 }).count).toBe(18)
  expect(excerptOf({ firstLine: 40, lastLine: 3 })).toMatchObject({ from: 40, to: 40 })
})

test('what a commit breaks is shown once for each way, the most frequent first', () => {
  const failed = (config: string, signature: string | null): ConfigAnswer => ({
    config,
    answer: 'failed',
    exact: true,
    buildId: config,
    signature,
    bothWays: false,
    state: 'production',
  })
  const answers = [failed('a', 'one'), failed('b', 'two'), failed('c', 'two'), failed('d', null)]

  expect(breaksOf([...answers, { ...failed('e', 'two'), answer: 'passed' }])).toMatchObject([
    { signature: 'two', buildId: 'b', configs: ['b', 'c'] },
    { signature: 'one', configs: ['a'] },
  ])
})
