/** Rows: the newest known row of each build; of two, the one with the greater revision is newer. */
import { beganAt } from '@/shared/format/timing'
import { isFinal, type Build } from '@/shared/wire'

/** How many rows are kept; the longest ended are let go first. */
export const MAX_ROWS = 2000

export type Rows = ReadonlyMap<string, Build>

export const NO_ROWS: Rows = new Map()

/** The rows with these added; the same map when nothing is newer. */
export function withRows(rows: Rows, builds: readonly Build[]): Rows {
  const newer = builds.filter((build) => build.revision > (rows.get(build.id)?.revision ?? -1))
  if (newer.length === 0) return rows
  const next = new Map(rows)
  for (const build of newer) next.set(build.id, build)
  return next.size > MAX_ROWS ? trimmed(next) : next
}

/** The newer of a build as read and as pushed. */
export function newest<T extends Build>(read: T, rows: Rows): T {
  const pushed = rows.get(read.id)
  return pushed !== undefined && pushed.revision > read.revision ? { ...read, ...pushed } : read
}

export interface Filter {
  project?: string
  branch?: string
  status?: Build['status']
  text?: string
}

/** The list as read and what runs, brought up to date by pushed rows: what runs first, then the latest start first. */
export function mergedList(
  read: readonly Build[],
  running: readonly Build[],
  rows: Rows,
  filter: Filter,
  isWhole: boolean,
): Build[] {
  const known = withRows(rows, [...read, ...running])
  // What the server found by text it found in more than a row holds: that is not decided again here.
  const isFound = new Set(read.map((build) => build.id))
  const { text, ...rest } = filter
  const listed = new Map(read.map((build) => [build.id, known.get(build.id) ?? build]))
  const oldest = read.length === 0 || isWhole ? 0 : Math.min(...read.map(startOf))
  for (const build of known.values()) {
    // An ended build older than the list's end belongs to a page that was not asked for yet.
    if (startOf(build) >= oldest || !isFinal(build.status)) listed.set(build.id, build)
  }
  const isShown = (build: Build) => matches(build, isFound.has(build.id) ? rest : { ...rest, text })
  return [...listed.values()].filter(isShown).sort(byActivity)
}

function matches(build: Build, filter: Filter): boolean {
  if (filter.project && build.project !== filter.project) return false
  if (filter.branch && build.branch !== filter.branch) return false
  if (filter.status && build.status !== filter.status) return false
  if (!filter.text) return true
  const text = filter.text.toLowerCase()
  return searchable(build).some((field) => field?.toLowerCase().includes(text))
}

function searchable(build: Build): (string | null | undefined)[] {
  const { project, branch, config, commit, commitSubject, commitAuthor, agent, error } = build
  return [build.id, project, branch, config, commit, commitSubject, commitAuthor, agent, error, build.command.join(' ')]
}

function byActivity(a: Build, b: Build): number {
  const ended = Number(isFinal(a.status)) - Number(isFinal(b.status))
  // What will fail is what somebody can still do something about.
  return ended || Number(b.failing) - Number(a.failing) || startOf(b) - startOf(a) || (a.id < b.id ? 1 : -1)
}

function startOf(build: Build): number {
  return beganAt(build) ?? build.updatedAt ?? 0
}

function trimmed(rows: Map<string, Build>): Rows {
  const byAge = [...rows.values()].sort((a, b) => (byActivity(a, b) < 0 ? -1 : 1))
  return new Map(byAge.slice(0, MAX_ROWS).map((build) => [build.id, build]))
}
