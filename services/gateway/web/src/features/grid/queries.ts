/** Queries: how the grid page reads a branch's grid. */
import { usePages } from '@/shared/api/queries/history'
import type { Grid } from '@/shared/wire'

export function useGrid(project: string, branch: string, isAsked: boolean) {
  return usePages<Grid>('/history/grid', { project, branch, limit: 50 }, isAsked)
}
