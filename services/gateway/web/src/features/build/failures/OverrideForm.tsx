/** Override form: a person's word on whose a failure is, with a reason; taken back the same way. */
import { Button, Select } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { HISTORY } from '@/shared/api/queries/history'
import { mayChange, useMe } from '@/shared/api/queries/me'
import { verdict as text } from '@/shared/i18n'
import { Field } from '@/shared/ui/Form'
import type { JudgedFailure, Override } from '@/shared/wire'
import classes from './failure.module.css'

type Name = JudgedFailure['verdict']

interface Props {
  buildId: string
  signature: string
  current: Override | undefined
  onDone: () => void
}

export function OverrideForm({ buildId, signature, current, onDone }: Props) {
  const { api } = useApp()
  const queries = useQueryClient()
  const { data: me } = useMe()
  const [chosen, setChosen] = useState<Name>(current?.verdict ?? 'flaky')
  const [reason, setReason] = useState('')
  const path = `/history/verdicts/${buildId}/${encodeURIComponent(signature)}`
  const change = useMutation({
    mutationFn: (act: 'set' | 'remove') =>
      act === 'set' ? api.put<unknown>(path, { verdict: chosen, reason }) : api.delete(path),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [HISTORY] })
      onDone()
    },
  })
  if (me === undefined || !mayChange(me)) return null
  return (
    <form
      className={classes.override}
      onSubmit={(event) => {
        event.preventDefault()
        change.mutate('set')
      }}
    >
      <Select
        size="xs"
        label={text.change}
        data={Object.entries(text.names).map(([value, label]) => ({ value, label }))}
        value={chosen}
        onChange={(value) => value !== null && setChosen(value as Name)}
        allowDeselect={false}
        comboboxProps={{ withinPortal: false }}
      />
      <Field label={text.reason} required maxLength={500} value={reason} onChange={setReason} />
      {change.isError && <p role="alert">{change.error.message}</p>}
      <div className={classes.acts}>
        <Button type="submit" size="compact-xs" loading={change.isPending}>
          {text.save}
        </Button>
        {current !== undefined && (
          <Button size="compact-xs" variant="default" onClick={() => change.mutate('remove')}>
            {text.remove}
          </Button>
        )}
      </div>
    </form>
  )
}
