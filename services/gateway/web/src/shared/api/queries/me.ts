/** Me: who is signed in, with which role. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { Me } from '@/shared/wire'

export function useMe() {
  const { api } = useApp()
  return useQuery({ queryKey: ['me'], queryFn: ({ signal }) => api.get<Me>('/auth/me', {}, signal) })
}
