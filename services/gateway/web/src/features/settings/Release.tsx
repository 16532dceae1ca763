/** Release: a person or key that is on hold since a restore is let in again. */
import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useApp } from '@/shared/api/app-context'
import { NOTICES } from '@/shared/api/queries/notices'
import { settings as text } from '@/shared/i18n'
import { Failed } from '@/shared/ui/Failed'

export function Release({ path, changed }: { path: string; changed: readonly string[] }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const release = useMutation({
    mutationFn: () => api.post<unknown>(`${path}/confirm`, {}),
    onSuccess: async () => {
      for (const queryKey of [changed, NOTICES]) await queries.invalidateQueries({ queryKey })
    },
  })
  return (
    <>
      <Button size="compact-xs" variant="default" loading={release.isPending} onClick={() => release.mutate()}>
        {text.release}
      </Button>
      {release.isError && <Failed error={release.error} />}
    </>
  )
}
