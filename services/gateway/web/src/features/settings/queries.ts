/** Queries: how the pages read accounts and keys. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { GroupList, KeyList, UserList } from '@/shared/wire'

export const GROUPS = ['groups']
export const KEYS = ['keys']
export const USERS = ['users']

export function useGroups() {
  const { api } = useApp()
  return useQuery({ queryKey: GROUPS, queryFn: ({ signal }) => api.get<GroupList>('/groups', {}, signal) })
}

export function useKeys() {
  const { api } = useApp()
  return useQuery({ queryKey: KEYS, queryFn: ({ signal }) => api.get<KeyList>('/keys', {}, signal) })
}

export function useUsers() {
  const { api } = useApp()
  return useQuery({ queryKey: USERS, queryFn: ({ signal }) => api.get<UserList>('/users', {}, signal) })
}
