import { expect, test } from 'vitest'
import { agentsOf, countByState } from '@/features/agents/hosts'
import type { AgentView } from '@/shared/wire'

function process(fields: Partial<AgentView>): AgentView {
  return {
    name: 'ci',
    instance: 'i',
    host: 'h',
    version: '1',
    connected: false,
    transport: 'websocket',
    connectedAt: 0,
    lastSeenAt: 0,
    spoolBytes: 0,
    builds: [],
    serves: [],
    unbuildable: [],
    sources: [],
    ...fields,
  }
}

test('processes of one name and host are one agent, which is as busy as its connected ones', () => {
  const agents = agentsOf([
    process({ instance: 'left', lastSeenAt: 9, builds: ['old'] }),
    process({ instance: 'here', lastSeenAt: 5, connected: true, builds: ['b1'] }),
    process({ instance: 'other', host: 'h2', connected: true }),
    process({ instance: 'gone', name: 'a' }),
  ])

  expect(agents.map(({ newest, state, builds }) => [newest.instance, state, builds])).toEqual([
    ['here', 'busy', ['b1']],
    ['other', 'idle', []],
    ['gone', 'gone', []],
  ])
  expect(countByState(agents)).toEqual({ busy: 1, idle: 1, gone: 1 })
})

test('what a daemon cannot build is shown beside a newer run, and no longer once it is gone', () => {
  const unbuildable = [{ project: 'p', reason: 'gone', sinceAt: 1, failures: 2, retrySeconds: 120 }]
  const run = process({ instance: 'run', lastSeenAt: 9, connected: true })

  const [here] = agentsOf([run, process({ instance: 'daemon', connected: true, unbuildable })])
  const [gone] = agentsOf([run, process({ instance: 'daemon', unbuildable })])

  expect([here?.unbuildable, gone?.unbuildable]).toEqual([unbuildable, []])
})
