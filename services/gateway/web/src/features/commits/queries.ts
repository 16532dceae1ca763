/** Queries: how the commit pages read commits. */
import type { Params } from '@/shared/api/client'
import { useRead } from '@/shared/api/queries/history'
import type { CommitAnswer, CommitList } from '@/shared/wire'

export function useCommit(sha: string, project: string | undefined) {
  return useRead<CommitAnswer>(`/commits/${encodeURIComponent(sha)}`, { project })
}

export function useCommits(search: Params, isAsked: boolean) {
  return useRead<CommitList>('/commits', search, isAsked)
}
