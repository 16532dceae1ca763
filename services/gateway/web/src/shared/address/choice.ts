/** Choice: which project, branch and configuration a page shows: what its address names, and never another. */
import type { LaneSummary } from '@/shared/wire'

export const PARTS = ['project', 'branch', 'config'] as const

export type Part = (typeof PARTS)[number]

export type Named = Readonly<Partial<Record<Part, string>>>

type Lane = Pick<LaneSummary, Part> & { latest: Pick<LaneSummary['latest'], 'startedAt'> }

export function namedIn(params: URLSearchParams): Named {
  const [project, branch, config] = PARTS.map((part) => params.get(part) ?? undefined)
  // Links made before a project had its own parameter named both in one; a project's name holds no blank.
  const both = project === undefined ? /^([a-z0-9][a-z0-9_.-]*) (.+)$/.exec(branch ?? '') : null
  return both === null ? { project, branch, config } : { project: both[1], branch: both[2], config }
}

/** What is shown where a page is of one branch: what is named, else the first project, and its branch built last. */
export function completed(named: Named, lanes: readonly Lane[]): Named {
  const of = (branch: string | undefined) =>
    lanes.filter((lane) => branch === undefined || lane.branch === branch).map((lane) => lane.project)
  const project = named.project ?? sorted(of(named.branch))[0] ?? sorted(of(undefined))[0]
  const newest = lanes
    .filter((lane) => lane.project === project)
    .reduce<Lane | undefined>(
      (last, lane) => (last !== undefined && last.latest.startedAt >= lane.latest.startedAt ? last : lane),
      undefined,
    )
  return { project, branch: named.branch ?? newest?.branch, config: named.config }
}

/** The first part of what is named that no build is known of. */
export function missingOf(named: Named, lanes: readonly Lane[]): Part | undefined {
  let left = lanes
  for (const part of PARTS) {
    const value = named[part]
    if (value === undefined) continue
    left = left.filter((lane) => lane[part] === value)
    if (left.length === 0) return part
  }
  return undefined
}

/** What can be chosen beside what is chosen; that is among it, known or not. */
export function offered(named: Named, lanes: readonly Lane[]): Record<Part, string[]> {
  const { project, branch } = named
  const ofProject = lanes.filter((lane) => project === undefined || lane.project === project)
  const ofBranch = ofProject.filter((lane) => branch === undefined || lane.branch === branch)
  const those = (part: Part, from: readonly Lane[]) =>
    sorted([...from.map((lane) => lane[part]), named[part]].filter((name) => name !== undefined))
  return { project: those('project', lanes), branch: those('branch', ofProject), config: those('config', ofBranch) }
}

/** What another choice changes: another project has other branches, another branch perhaps other configurations. */
export function chosen(part: Part, value: string | undefined, named: Named, lanes: readonly Lane[]): Named {
  if (part === 'project') return { project: value, branch: undefined, config: undefined }
  if (part === 'config') return { config: value }
  const isKept = missingOf({ ...named, branch: value }, lanes) === undefined
  return { branch: value, config: isKept ? named.config : undefined }
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort((a, b) => a.localeCompare(b))
}
