/** Queries: how the failure pages read groups of failures. */
import { usePages, useRead } from '@/shared/api/queries/history'
import type { FailureGroup, FailureGroupList } from '@/shared/wire'

export function useFailureGroups(project: string | undefined) {
  return usePages<FailureGroupList>('/failures', { project, limit: 50 })
}

export function useFailureGroup(signature: string, project: string | undefined) {
  return useRead<FailureGroup>(`/failures/${encodeURIComponent(signature)}`, { project })
}
