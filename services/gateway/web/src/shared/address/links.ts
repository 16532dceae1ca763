/** Places: the addresses of what history tells of, and where in the sources a failure is. */
import type { FailureData } from '@/shared/wire'

export function toGrid(project: string, branch: string): string {
  // A branch keeps its slashes: release/19 reads as itself in the address.
  return `/p/${encodeURIComponent(project)}/${branch.split('/').map(encodeURIComponent).join('/')}`
}

export function toFailure(signature: string, project?: string): string {
  const only = project === undefined ? '' : `?${new URLSearchParams({ project })}`
  return `/failures/${encodeURIComponent(signature)}${only}`
}

/** How a test goes on the branch of a build. */
export function toTest(name: string, { project, branch }: { project: string; branch?: string | null }): string {
  return `/tests?${new URLSearchParams({ project, ...(branch && { branch }), name })}`
}

export function toCommit(sha: string): string {
  return `/c/${sha}`
}

type Placed = Pick<FailureData, 'file' | 'line' | 'col'>

/** `file:line:col` as far as known. */
export function placeOf({ file, line, col }: Placed): string {
  return [file, line, col].filter((part) => part != null).join(':')
}

/** Of a longer path only so many names are shown, from its end: where a machine keeps its checkouts tells nobody anything. */
const NAMES_SHOWN = 4

/** The same for reading: within the directory that was built in, else the end of a long path. */
export function shortPlaceOf(failure: Placed, cwd?: string | null): string {
  const file = failure.file ?? ''
  if (cwd && file.startsWith(`${cwd}/`)) return placeOf({ ...failure, file: file.slice(cwd.length + 1) })
  const isAbsolute = file.startsWith('/') || /^[A-Za-z]:[\\/]/.test(file)
  const names = file.split(/[\\/]/)
  if (!isAbsolute || names.length <= NAMES_SHOWN + 1) return placeOf(failure)
  return placeOf({ ...failure, file: `…/${names.slice(-NAMES_SHOWN).join('/')}` })
}
