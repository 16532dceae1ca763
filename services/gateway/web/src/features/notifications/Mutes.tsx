/** Mutes: what nobody is notified of, and until when; each ends by itself. */
import { Button, NumberInput, Select } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { offered } from '@/shared/address/choice'
import { useApp } from '@/shared/api/app-context'
import { useSummary } from '@/shared/api/queries/history'
import { age, instant } from '@/shared/format'
import { notifications as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import { Answer } from '@/shared/ui/Answer'
import { Field, Form } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import type { Mute, MuteRequest } from '@/shared/wire'
import classes from './Mutes.module.css'
import { MUTES, useMutes } from './queries'

const HOUR_MS = 3_600_000
const USUAL_HOURS = 24

interface Props {
  /** Only those of it; undefined: all. */
  project: string | undefined
}

export function Mutes({ project }: Props) {
  return (
    <Section title={text.mutes}>
      <Answer read={useMutes()}>
        {({ items }) => {
          const shown = items.filter((mute) => project === undefined || mute.project === project)
          return (
            <div className={classes.mutes}>
              {shown.length === 0 && (
                <p className={layout.faint}>{project === undefined ? text.muteNone : text.muteNoneOf(project)}</p>
              )}
              {shown.map((mute) => (
                <OneMute key={mute.id} mute={mute} />
              ))}
            </div>
          )
        }}
      </Answer>
      <MuteForm of={project} />
    </Section>
  )
}

function OneMute({ mute }: { mute: Mute }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const left = mute.untilAt - useNow()
  const end = useMutation({
    mutationFn: () => api.delete(`/notifications/mutes/${mute.id}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: MUTES }),
  })
  return (
    <div className={classes.mute} data-testid="mute">
      <strong>{mute.project}</strong>
      <span>{[mute.branch ?? text.muteAll, mute.config, mute.incident].filter(Boolean).join(' · ')}</span>
      <span title={instant(mute.untilAt)}>
        {mute.untilFixed ? text.muteUntilFixed : left > 0 ? text.muteLeft(age(left)) : text.muteEnded}
      </span>
      <span className={layout.faint}>{[mute.reason, mute.createdBy].filter(Boolean).join(' · ')}</span>
      <Button size="compact-xs" variant="default" loading={end.isPending} onClick={() => end.mutate()}>
        {text.muteRemove}
      </Button>
      {end.isError && <span role="alert">{end.error.message}</span>}
    </div>
  )
}

function MuteForm({ of }: { of: string | undefined }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const lanes = useSummary().data?.items ?? []
  const [project, setProject] = useState(of ?? null)
  const [branch, setBranch] = useState('')
  const [hours, setHours] = useState<number | string>(USUAL_HOURS)
  const [reason, setReason] = useState('')
  const mute = useMutation({
    mutationFn: (wanted: MuteRequest) => api.post<Mute>('/notifications/mutes', wanted),
    onSuccess: () => queries.invalidateQueries({ queryKey: MUTES }),
  })
  const submit = () => {
    if (project === null) return
    const untilAt = Date.now() + Math.round(Number(hours) * HOUR_MS)
    mute.mutate({ project, branch: branch || null, reason, untilAt, untilFixed: false })
  }
  return (
    <Form action={text.muteAdd} isIncomplete={project === null} sending={mute} onSubmit={submit}>
      <Select
        size="xs"
        label={text.muteProject}
        data={offered({ project: project ?? undefined }, lanes).project}
        value={project}
        onChange={(chosen) => {
          setProject(chosen)
          setBranch('')
        }}
        required
      />
      <Field label={text.muteBranch} placeholder={text.muteAll} value={branch} onChange={setBranch} />
      <NumberInput size="xs" label={text.muteHours} min={1} value={hours} onChange={setHours} hideControls required />
      <Field label={text.muteReason} value={reason} onChange={setReason} />
    </Form>
  )
}
