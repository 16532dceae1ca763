/** Queries: how the grid page reads a branch's grid, and the builds that are newer than it. */
import { useQueries } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useApp, useRows } from '@/shared/api/app-context'
import { readBuilds, useRunningBuilds } from '@/shared/api/queries/builds'
import { usePages } from '@/shared/api/queries/history'
import type { CommitRow, Grid } from '@/shared/wire'
import { doubtfulCommits, withLive } from './model/live'

const PAGE_COMMITS = 50

/** Commits with a build that history calls running and nobody else knows: more than a few are never at once. */
const DOUBTFUL_MAX = 8
const BUILDS_MAX = 200

export function useGrid(project: string, branch: string, isAsked: boolean) {
  return usePages<Grid>('/history/grid', { project, branch, limit: PAGE_COMMITS }, isAsked)
}

/** The rows as the builds themselves stand now: history follows them, and may lag behind. */
export function useLiveRows(rows: readonly CommitRow[], project: string, branch: string): readonly CommitRow[] {
  const app = useApp()
  const known = useRows()
  const running = useRunningBuilds({ project, branch })
  const doubtful = running.data === undefined ? [] : doubtfulCommits(rows, known).slice(0, DOUBTFUL_MAX)
  useQueries({
    queries: doubtful.map((commit) => ({
      queryKey: ['builds', 'of', project, branch, commit],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        readBuilds(app, { project, branch, commit, limit: BUILDS_MAX }, signal),
    })),
  })
  return useMemo(() => withLive(rows, known.values()), [rows, known])
}
