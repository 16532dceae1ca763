/** Owned: who is on an incident and who repairs it, and the buttons that change that. */
import { Button } from '@mantine/core'
import { useState } from 'react'
import { incident as text } from '@/shared/i18n'
import { Failed } from '@/shared/ui/Failed'
import { Field, Form } from '@/shared/ui/Form'
import type { Incident } from '@/shared/wire'
import classes from './incident.module.css'
import { useDeed } from './queries'

const MUTED_MS = 90 * 86_400_000

export function Owned({ incident }: { incident: Incident }) {
  const { id, ownership } = incident
  const path = `/incidents/${encodeURIComponent(id)}`
  const take = useDeed((api) => api.put(`${path}/acknowledgement`, {}))
  const release = useDeed((api) => api.delete(`${path}/acknowledgement`))
  const mute = useDeed((api) =>
    api.post('/notifications/mutes', {
      project: incident.project,
      incident: id,
      untilAt: Date.now() + MUTED_MS,
      untilFixed: true,
    }),
  )
  const isOpen = incident.state === 'open'
  const by = ownership?.acknowledgedBy
  const failed = [take, release, mute].find(({ isError }) => isError)?.error
  return (
    <div className={classes.owned}>
      <strong data-testid="on-it">{by != null ? text.isOn(by) : text.nobody}</strong>
      {isOpen && (
        <Button size="compact-sm" loading={take.isPending} onClick={() => take.mutate()}>
          {text.take}
        </Button>
      )}
      {by != null && (
        <Button size="compact-sm" variant="default" loading={release.isPending} onClick={() => release.mutate()}>
          {text.release}
        </Button>
      )}
      {isOpen && (
        <Button
          size="compact-sm"
          variant="default"
          disabled={mute.isSuccess}
          loading={mute.isPending}
          onClick={() => mute.mutate()}
        >
          {text.mute}
        </Button>
      )}
      {mute.isSuccess && <span role="status">{text.muted}</span>}
      {failed != null && <Failed error={failed} />}
      <Assignee path={path} assignee={ownership?.assignee ?? ''} />
    </div>
  )
}

function Assignee({ path, assignee }: { path: string; assignee: string }) {
  const [typed, setTyped] = useState<string>()
  const name = typed ?? assignee
  const assign = useDeed((api) => api.put(`${path}/assignee`, { assignee: name === '' ? null : name }))
  return (
    <Form action={text.assign} isIncomplete={name === assignee} sending={assign} onSubmit={() => assign.mutate()}>
      <Field label={text.assignee} value={name} onChange={setTyped} />
    </Form>
  )
}
