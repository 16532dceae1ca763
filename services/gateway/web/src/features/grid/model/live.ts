/** Live: what the builds themselves say, laid over what history says of them: history follows a moment later. */
import { beganAt } from '@/shared/format/timing'
import { isFinal, type Build, type Cell, type CommitRow } from '@/shared/wire'

/** The rows with newer cells; rows that nothing changes are the same objects. */
export function withLive(rows: readonly CommitRow[], builds: Iterable<Build>): CommitRow[] {
  const byCommit = new Map<string, Build[]>()
  const branch = rows[0]
  for (const build of builds) {
    if (build.commit == null || build.origin !== 'ci') continue
    if (build.project !== branch?.project || (build.branch ?? '') !== branch.branch) continue
    byCommit.set(build.commit, [...(byCommit.get(build.commit) ?? []), build])
  }
  return rows.map((row) => {
    const own = byCommit.get(row.info.sha)
    return own === undefined ? row : overlaid(row, own)
  })
}

/** The commits of which history says that a build runs, and nothing newer is known. */
export function doubtfulCommits(rows: readonly CommitRow[], known: ReadonlyMap<string, Build>): string[] {
  return rows
    .filter((row) => row.cells?.some((cell) => !isFinal(cell.status) && !known.has(cell.buildId)))
    .map((row) => row.info.sha)
}

function overlaid(row: CommitRow, builds: readonly Build[]): CommitRow {
  const cells = new Map(row.cells?.map((cell) => [cell.config, cell]))
  let isChanged = false
  for (const build of builds) {
    const known = cells.get(build.config)
    if (known !== undefined && !isNews(known, build)) continue
    cells.set(build.config, cellOf(build, known))
    isChanged = true
  }
  return isChanged ? { ...row, cells: [...cells.values()] } : row
}

function isNews(cell: Cell, build: Build): boolean {
  if (cell.buildId !== build.id) return (beganAt(build) ?? 0) > cell.startedAt
  // What history has judged stands, whatever an older row of the list says.
  if (isFinal(cell.status)) return false
  return cell.status !== build.status || (cell.failing ?? false) !== build.failing
}

function cellOf(build: Build, known: Cell | undefined): Cell {
  const isSame = known?.buildId === build.id
  return {
    config: build.config,
    buildId: build.id,
    status: build.status,
    failing: build.failing,
    colour: 'none',
    fault: build.firstFailure?.fault,
    startedAt: beganAt(build) ?? 0,
    durationMs: build.durationMs,
    signature: build.firstFailure?.signature,
    attempts: (known?.attempts ?? 0) + (isSame ? 0 : 1),
    bothWays: isSame ? known.bothWays : false,
  }
}
