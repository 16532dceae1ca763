/** Queries: how the failure pages read groups of failures. */
import { usePages } from '@/shared/api/queries/history'
import type { FailureGroupList } from '@/shared/wire'

export function useFailureGroups(project: string | undefined) {
  return usePages<FailureGroupList>('/failures', { project, limit: 50 })
}
