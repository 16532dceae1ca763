import { expect, test } from 'vitest'
import { offersFor } from '@/app/palette/offers'
import type { LaneSummary } from '@/shared/wire'
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
  expect(goals('c0ff', [], [])).toEqual(['/c/c0ff', '/?q=c0ff'])
  expect(goals('coffee', [], [])).toEqual(['/?q=coffee'])
})

test('a build is offered by either end of its id, in any spelling, once; others are looked up', () => {
  const id = '0190ab34-5678-7abc-8def-0123456789ab'
  const builds = [buildRow({ id, project: 'iree' })]

  expect(goals('456789AB', [], builds)).toEqual([`/builds/${id}`, '/c/456789AB', '/builds/456789ab', '/?q=456789AB'])
  expect(goals('0190ab345678', [], builds)[0]).toBe(`/builds/${id}`)
  expect(goals(` ${id.toUpperCase()} `, [], builds)).toEqual([`/builds/${id}`, `/?q=${id.toUpperCase()}`])
  expect(goals(id, [], [])).toEqual([`/builds/${id}`, `/?q=${id}`])
  expect(goals('c0ffee', [], [])).toEqual(['/c/c0ffee', '/builds/c0ffee', '/?q=c0ffee'])
})

test('builds that begin alike are all offered, each with the end that distinguishes it from the others', () => {
  const builds = ['aaaa0001', 'aaaa0002'].map((end) => buildRow({ id: `0190ab34-5678-7abc-8def-0000${end}` }))

  const offers = offersFor('0190ab34', [], builds)

  expect(offers.slice(0, 2).map(({ detail }) => detail.split(' · ').at(-1))).toEqual(['aaaa0001', 'aaaa0002'])
})
