import { expect, test } from 'vitest'
import { sourcesOf, type SourceHealth } from '@/features/sources/model'
import type { AgentView } from '@/shared/wire'

const HEALTH: SourceHealth = {
  name: 'lab.example/buildbot',
  kind: 'buildbot',
  projects: ['mlir'],
  lagMs: 0,
  openBuilds: 3,
  waitingBuilds: 0,
  requestsPerMinute: 90,
  refusedRequests: 0,
  lostLogs: 0,
}

function mirror(over: Partial<AgentView>, ...sources: Partial<SourceHealth>[]): AgentView {
  return {
    name: 'mirror',
    instance: '1',
    version: '0.1.0',
    connected: true,
    transport: 'websocket',
    connectedAt: 0,
    lastSeenAt: 1000,
    spoolBytes: 0,
    builds: [],
    serves: [],
    unbuildable: [],
    sources: sources.map((each) => ({ ...HEALTH, ...each })),
    ...over,
  }
}

test('a source is as the mirror that follows it has it, whatever one that is gone reported last', () => {
  const gone = mirror({ instance: '2', connected: false, lastSeenAt: 2000 }, { failingSinceAt: 5, problem: 'away' })

  expect(sourcesOf([gone, mirror({}, {})]).map(({ state }) => state)).toEqual(['current'])
  expect(sourcesOf([gone]).map(({ state }) => state)).toEqual(['unwatched'])
})

test('what does not answer comes first, then what is behind', () => {
  const sources = sourcesOf([
    mirror({}, { name: 'a' }, { name: 'b', lagMs: 60_000 }, { name: 'c', failingSinceAt: 1, problem: 'refused' }),
  ])

  expect(sources.map(({ health, state }) => [health.name, state])).toEqual([
    ['c', 'failing'],
    ['b', 'behind'],
    ['a', 'current'],
  ])
})
