/** Notices: what waits for an admin, for the bar above every page and for the page that ends it. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import { useMe } from '@/shared/api/queries/me'
import type { NoticeList } from '@/shared/wire'

export const NOTICES = ['notices']

const LOOK_MS = 60_000

/** Nobody else is answered: others may not end what is shown. */
export function useNotices() {
  const { api } = useApp()
  const me = useMe().data
  return useQuery({
    queryKey: NOTICES,
    queryFn: ({ signal }) => api.get<NoticeList>('/operation/notices', {}, signal),
    enabled: me?.role === 'admin' && me.projects == null,
    refetchInterval: LOOK_MS,
  })
}
