/** Queries: how the page reads what is set aside. */
import { useQuery } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { ParkedList, ParkedMessage } from '@/shared/wire'

export const PARKED = ['parked']

export function useParked() {
  const { api } = useApp()
  return useQuery({ queryKey: PARKED, queryFn: ({ signal }) => api.get<ParkedList>('/parking', {}, signal) })
}

export function useParkedMessage(id: string, isAsked: boolean) {
  const { api } = useApp()
  return useQuery({
    queryKey: [...PARKED, id],
    queryFn: ({ signal }) => api.get<ParkedMessage>(`/parking/${encodeURIComponent(id)}`, {}, signal),
    enabled: isAsked,
  })
}
