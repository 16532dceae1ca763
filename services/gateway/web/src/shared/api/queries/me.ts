/** Me: who is signed in, with which roles. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { Me } from '@/shared/wire'

export function useMe() {
  const { api } = useApp()
  return useQuery({ queryKey: ['me'], queryFn: ({ signal }) => api.get<Me>('/auth/me', {}, signal) })
}

/** Whether there is a project whose builds the person may do more with than read: the server knows in which. */
export function mayChange({ role, roles }: Me): boolean {
  return [role, ...Object.values(roles ?? {})].some((each) => each !== 'viewer')
}
