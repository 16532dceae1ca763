/** Places: the addresses of what history tells of, and where in the sources a failure is. */
import type { FailureData } from '../wire'

export function toGrid(project: string, branch: string): string {
  // A branch keeps its slashes: release/19 reads as itself in the address.
  return `/p/${encodeURIComponent(project)}/${branch.split('/').map(encodeURIComponent).join('/')}`
}

export function toFailure(signature: string): string {
  return `/failures/${encodeURIComponent(signature)}`
}

export function toCommit(sha: string): string {
  return `/c/${sha}`
}

/** `file:line:col` as far as known. */
export function placeOf({ file, line, col }: Pick<FailureData, 'file' | 'line' | 'col'>): string {
  return [file, line, col].filter((part) => part != null).join(':')
}
