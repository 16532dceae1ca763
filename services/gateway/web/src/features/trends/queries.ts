/** Queries: how the trends page reads the days of a branch. */
import type { Named } from '@/shared/address/choice'
import { useRead } from '@/shared/api/queries/history'
import type { TrendList } from '@/shared/wire'

/** Of one branch: read when the address names it. */
export function useTrends({ project, branch, config }: Named, days: number) {
  const isNamed = project !== undefined && branch !== undefined
  return useRead<TrendList>('/history/trends', { project, branch, config, days }, isNamed)
}
