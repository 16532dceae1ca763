import { expect, test } from 'vitest'
import { issueUrl, timelineOf } from '@/features/incidents/timeline'
import type { Incident } from '@/shared/wire'

const INCIDENT = {
  id: 'i',
  project: 'iree',
  branch: 'main',
  configs: ['release', 'asan'],
  failure: { category: 'compile', message: 'error: ```no``` member', file: 'a.cpp', line: 3, firstLine: 9 },
  suspects: [{ sha: 'c0ffee', subject: 'Change & break', parents: [] }],
  repository: 'https://github.com/iree-org/iree',
  transitions: [
    { key: 'opened', kind: 'opened', at: 10, news: true, buildId: 'b', config: 'release' },
    { key: 'fixed', kind: 'fixed', at: 30, news: true, buildId: 'c', config: 'release' },
  ],
  ownership: { events: [{ kind: 'acknowledged', by: 'ann', at: 20, text: '' }] },
} as unknown as Incident

test('what happened and what people did stand in one order', () => {
  expect(timelineOf(INCIDENT).map(({ words }) => words)).toEqual([
    'release: broke',
    'ann is on it',
    'release: all configurations are green',
  ])
})

test('an issue is filled in with the error, its place, the suspects and the page', () => {
  const url = new URL(issueUrl(INCIDENT, 'https://builds.example.com/incidents/i') ?? '')
  const body = url.searchParams.get('body') ?? ''
  expect(url.origin + url.pathname).toBe('https://github.com/iree-org/iree/issues/new')
  expect(url.searchParams.get('title')).toContain('iree main is broken: error: ')
  expect(body).toContain('````\nerror: ```no``` member\n````')
  for (const part of ['At `a.cpp:3`', 'release, asan', '- c0ffee Change & break', '/incidents/i']) {
    expect(body).toContain(part)
  }
})

test('a repository that is not at GitHub has no form for an issue', () => {
  expect(issueUrl({ ...INCIDENT, repository: null }, 'x')).toBeUndefined()
})
