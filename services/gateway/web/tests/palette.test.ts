import { expect, test } from 'vitest'
import { offersFor } from '../src/palette/places'
import type { LaneSummary } from '../src/wire'
import { buildRow } from './frames'

const lane = (project: string, branch: string) => ({ project, branch }) as LaneSummary
const goals = (typed: string, lanes: LaneSummary[] = [], builds = [buildRow({ id: 'b1', project: 'iree' })]) =>
  offersFor(typed, lanes, builds).map(({ to }) => to)

test('pages and branches are offered at once, a branch once, builds when something is typed', () => {
  const lanes = [lane('iree', 'main'), lane('iree', 'main'), lane('iree', 'release/19')]

  expect(goals('', lanes)).toEqual(expect.arrayContaining(['/', '/pins', '/p/iree/main', '/p/iree/release/19']))
  expect(goals('', lanes)).not.toContain('/builds/b1')
  expect(goals('iree 19', lanes)).toEqual(['/p/iree/release/19', '/?q=iree%2019'])
  expect(goals('iree')).toContain('/builds/b1')
})

test('a word that can begin a sha can be looked up as a commit', () => {
  expect(goals('c0ffee', [], [])).toEqual(['/c/c0ffee', '/?q=c0ffee'])
  expect(goals('coffee', [], [])).toEqual(['/?q=coffee'])
})
