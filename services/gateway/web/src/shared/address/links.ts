/** Links: the addresses of the pages of a branch, a failure, a test, a commit and what a build keeps. */

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

export function toArtifacts(buildId: string): string {
  return `/builds/${buildId}?tab=artifacts`
}

export function toIncident(id: string): string {
  return `/incidents/${encodeURIComponent(id)}`
}

/** The page that searches the logs of a commit, a branch or a configuration. */
export function toSearch(where: Readonly<Record<string, string>>): string {
  return `/search?${new URLSearchParams(where)}`
}
