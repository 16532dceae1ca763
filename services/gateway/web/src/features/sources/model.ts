/** Sources: one per CI that is mirrored, as the mirror that reported last has it. */
import type { AgentView } from '@/shared/wire'

export type SourceHealth = AgentView['sources'][number]

export type SourceState = 'current' | 'behind' | 'failing' | 'unwatched'

export interface Source {
  health: SourceHealth
  state: SourceState
  /** When its mirror last reported. */
  seenAt: number
}

/** What is shown is behind by more than this: a reader should know. */
const BEHIND_MS = 15_000

/** Failing ones first, then those nobody follows any more, then by name. */
export function sourcesOf(agents: readonly AgentView[]): Source[] {
  const newest = new Map<string, Source>()
  for (const agent of agents) {
    for (const health of agent.sources) {
      const known = newest.get(health.name)
      const source = { health, state: stateOf(health, agent.connected), seenAt: agent.lastSeenAt }
      if (known === undefined || rank(source) > rank(known)) newest.set(health.name, source)
    }
  }
  return [...newest.values()].sort(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.health.name.localeCompare(b.health.name),
  )
}

const ORDER: readonly SourceState[] = ['failing', 'unwatched', 'behind', 'current']

function stateOf({ failingSinceAt, lagMs }: SourceHealth, isConnected: boolean): SourceState {
  if (!isConnected) return 'unwatched'
  if (failingSinceAt != null) return 'failing'
  return (lagMs ?? 0) > BEHIND_MS ? 'behind' : 'current'
}

function rank({ state, seenAt }: Source): number {
  return seenAt + (state === 'unwatched' ? 0 : Number.MAX_SAFE_INTEGER / 2)
}
