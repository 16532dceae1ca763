/** Agents by name and host: each `build-dashboard run` is a process of its own, people think of the machine. */
import type { AgentView } from '@/shared/wire'

export type AgentState = 'busy' | 'idle' | 'gone'

export interface Agent {
  /** The process that was seen last. */
  newest: AgentView
  state: AgentState
  /** Builds that connected processes work on. */
  builds: string[]
  /** Projects that connected processes serve and cannot check out. */
  unbuildable: AgentView['unbuildable']
  /** How many processes are known under this name. */
  processes: number
}

/** One per name and host: busy ones first, then idle, then those that are gone; by name in each. */
export function agentsOf(processes: readonly AgentView[]): Agent[] {
  const groups = new Map<string, AgentView[]>()
  for (const process of processes) {
    const key = `${process.name}\n${process.host ?? ''}`
    groups.set(key, [...(groups.get(key) ?? []), process])
  }
  return [...groups.values()].map(agentOf).sort(byState)
}

export function countByState(agents: readonly Agent[]): Record<AgentState, number> {
  const count = (state: AgentState) => agents.filter((agent) => agent.state === state).length
  return { busy: count('busy'), idle: count('idle'), gone: count('gone') }
}

function agentOf(processes: AgentView[]): Agent {
  const connected = processes.filter((process) => process.connected)
  const builds = connected.flatMap((process) => process.builds)
  const unbuildable = connected.flatMap((process) => process.unbuildable)
  const newest = processes.reduce((a, b) => (rank(b) > rank(a) ? b : a))
  const state = connected.length === 0 ? 'gone' : builds.length > 0 ? 'busy' : 'idle'
  return { newest, state, builds, unbuildable, processes: processes.length }
}

/** A process that is connected describes its machine better than one that left later. */
function rank(process: AgentView): number {
  return process.lastSeenAt + (process.connected ? Number.MAX_SAFE_INTEGER / 2 : 0)
}

const ORDER: readonly AgentState[] = ['busy', 'idle', 'gone']

function byState(a: Agent, b: Agent): number {
  return ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.newest.name.localeCompare(b.newest.name)
}
