/** Cancel: orders the agent to stop a build. */
import { useMutation } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import type { CommandView, NewCommand } from '@/shared/wire'

export function useCancel(buildId: string, onSuccess?: () => void) {
  const { api } = useApp()
  return useMutation({
    mutationFn: () => api.post<CommandView>('/commands', { kind: 'cancel', buildId } satisfies Partial<NewCommand>),
    onSuccess,
  })
}
