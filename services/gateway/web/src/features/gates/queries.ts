/** Queries: how the gates page reads a gate of a branch. */
import { useRead } from '@/shared/api/queries/history'
import type { GateAnswer } from '@/shared/wire'

export type Gate = GateAnswer['gate']

export function useGate(gate: Gate, project: string, branch: string) {
  return useRead<GateAnswer>(`/history/gates/${gate}`, { project, branch })
}
