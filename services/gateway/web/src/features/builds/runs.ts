/** Runs: the builds of one commit beside each other, as one where they are many: sixty rows alike say less than one. */
import type { ShownStatus } from '@/shared/format/status'
import { statusOf } from '@/shared/format/status'
import type { Build } from '@/shared/wire'

/** From so many builds of a commit on they are shown as one. */
const MANY = 6

export interface Run {
  key: string
  /** In the order of the list; one that stands alone, or those of a commit. */
  builds: readonly [Build, ...Build[]]
  isFolded: boolean
}

/** In the place of its newest build each commit's builds together; builds without a commit stand alone. */
export function runsOf(builds: readonly Build[]): Run[] {
  const byCommit = new Map<string, [Build, ...Build[]]>()
  for (const build of builds) {
    const { id, project, branch, commit, origin } = build
    const key = commit == null || origin !== 'ci' ? id : [project, branch ?? '', commit].join('\n')
    const known = byCommit.get(key)
    if (known === undefined) byCommit.set(key, [build])
    else known.push(build)
  }
  return [...byCommit].flatMap(([key, own]): Run[] =>
    own.length >= MANY
      ? [{ key, builds: own, isFolded: true }]
      : own.map((build) => ({ key: build.id, builds: [build], isFolded: false })),
  )
}

/** The worst first. */
const ORDER: readonly ShownStatus[] = [
  'failed',
  'failing',
  'timed_out',
  'lost',
  'cancelled',
  'running',
  'queued',
  'succeeded',
]

/** How many of the builds have which status, the worst first. */
export function countsOf(builds: readonly Build[]): [status: ShownStatus, count: number][] {
  const counts = new Map<ShownStatus, number>()
  for (const build of builds) counts.set(statusOf(build), (counts.get(statusOf(build)) ?? 0) + 1)
  return ORDER.flatMap((status): [ShownStatus, number][] => {
    const count = counts.get(status)
    return count === undefined ? [] : [[status, count]]
  })
}
