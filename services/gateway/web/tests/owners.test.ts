import { expect, test } from 'vitest'
import { ownersOf, stillRed } from '@/features/now/owners'
import type { IncidentSummary, LaneSummary } from '@/shared/wire'

const incident = {
  project: 'torch-mlir',
  branch: 'main',
  configs: ['release', 'asan', 'windows'],
  recoveredConfigs: ['windows'],
} as IncidentSummary

function lane(config: string, owner?: string, branch = 'main'): LaneSummary {
  return { project: 'torch-mlir', branch, config, declared: { state: 'production', owner } } as LaneSummary
}

test('an incident is owned by those who own what is still red of it, each named once', () => {
  expect(stillRed(incident)).toEqual(['release', 'asan'])
  expect(ownersOf(incident, [lane('release', 'compiler'), lane('asan', 'compiler'), lane('windows', 'win')])).toEqual([
    'compiler',
  ])
  expect(ownersOf(incident, [lane('release'), lane('release', 'other', 'next')])).toEqual([])
  expect(ownersOf({ ...incident, branch: undefined }, [lane('release', 'compiler', '')])).toEqual(['compiler'])
})
