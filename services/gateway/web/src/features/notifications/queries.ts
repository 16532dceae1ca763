/** Queries: how the pages read what was sent to whom, and what is muted. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import { HISTORY } from '@/shared/api/queries/history'
import { PAGED } from '@/shared/api/queries/pages'
import type { MuteList, NotificationList } from '@/shared/wire'

export const MUTES = ['mutes']

/** Deliveries follow verdicts, so they are read again when those are. */
export function useNotifications(project: string | undefined, state: string | undefined) {
  const { api } = useApp()
  return useInfiniteQuery({
    queryKey: [HISTORY, 'notifications', project, state],
    queryFn: ({ pageParam, signal }) =>
      api.get<NotificationList>('/notifications', { project, state, limit: 50, cursor: pageParam }, signal),
    ...PAGED,
  })
}

export function useMutes() {
  const { api } = useApp()
  return useQuery({ queryKey: MUTES, queryFn: ({ signal }) => api.get<MuteList>('/notifications/mutes', {}, signal) })
}
