/** Keys: what agents sign in with: create (the value is shown once), see, revoke. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { instant } from '@/shared/format'
import { settings as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Confirm } from '@/shared/ui/Confirm'
import { Ago } from '@/shared/ui/Elapsed'
import { Field, Form } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { projectsFrom, projectsShown } from '@/shared/ui/projects'
import { ShownOnce } from '@/shared/ui/ShownOnce'
import { Table } from '@/shared/ui/Table'
import type { KeyView, NewKey, NewKeyView } from '@/shared/wire'
import { KEYS, useKeys } from './queries'
import { Release } from './Release'
import classes from './settings.module.css'

const COLUMNS = [text.name, text.projects, text.state, text.lastUsed, text.expires, text.created, '']
const STATE_CLASS: Record<string, string | undefined> = { active: layout.green, onHold: layout.warned }
const DAY_MS = 86_400_000

export function Keys() {
  const [created, setCreated] = useState<NewKeyView>()
  return (
    <Section title={text.keys}>
      {created === undefined ? (
        <NewKeyForm onCreated={setCreated} />
      ) : (
        <ShownOnce
          lead={text.newKey(created.name)}
          value={created.value}
          testId="new-key"
          onDone={() => setCreated(undefined)}
        />
      )}
      <Answer read={useKeys()}>
        {({ items }) =>
          items.length === 0 ? (
            <p className={layout.faint}>{text.noKeys}</p>
          ) : (
            <Table label={text.keys} columns={COLUMNS}>
              {items.map((key) => (
                <Row key={key.id} apiKey={key} onCreated={setCreated} />
              ))}
            </Table>
          )
        }
      </Answer>
    </Section>
  )
}

interface Creates {
  onCreated: (created: NewKeyView) => void
}

function NewKeyForm({ onCreated }: Creates) {
  const { api } = useApp()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [projects, setProjects] = useState('')
  const [days, setDays] = useState('')
  const create = useMutation({
    mutationFn: (key: Partial<NewKey>) => api.post<NewKeyView>('/keys', key),
    onSuccess: (created) => {
      onCreated(created)
      return queries.invalidateQueries({ queryKey: KEYS })
    },
  })
  const submit = () => {
    const expiresAt = days === '' ? null : Date.now() + Number(days) * DAY_MS
    create.mutate({ name, projects: projectsFrom(projects), expiresAt })
  }
  return (
    <Form action={text.create} sending={create} onSubmit={submit}>
      <Field label={text.name} required pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" value={name} onChange={setName} />
      <Field label={text.projectsHint} isWide value={projects} onChange={setProjects} />
      <Field label={text.expiresHint} pattern="[1-9][0-9]{0,3}" inputMode="numeric" value={days} onChange={setDays} />
    </Form>
  )
}

function Row({ apiKey, onCreated }: { apiKey: KeyView } & Creates) {
  const { api } = useApp()
  const queries = useQueryClient()
  const revoke = useMutation({
    mutationFn: () => api.delete(`/keys/${encodeURIComponent(apiKey.id)}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: KEYS }),
  })
  const rotate = useMutation({
    mutationFn: () => api.post<NewKeyView>(`/keys/${encodeURIComponent(apiKey.id)}/rotate`, {}),
    onSuccess: (created) => {
      onCreated(created)
      return queries.invalidateQueries({ queryKey: KEYS })
    },
  })
  const state = apiKey.revokedAt != null ? 'revoked' : isOver(apiKey) ? 'expired' : apiKey.onHold ? 'onHold' : 'active'
  return (
    <tr data-testid="key" data-state={state}>
      <td>
        <strong>{apiKey.name}</strong>
      </td>
      <td className={layout.soft}>{projectsShown(apiKey.projects)}</td>
      <td className={STATE_CLASS[state] ?? layout.faint}>{text[state]}</td>
      <td className={layout.nowrap}>{apiKey.lastUsedAt == null ? text.never : <Ago at={apiKey.lastUsedAt} />}</td>
      <td className={layout.nowrap}>{apiKey.expiresAt == null ? text.never : instant(apiKey.expiresAt)}</td>
      <td className={layout.nowrap}>
        <Ago at={apiKey.createdAt} /> <span className={layout.faint}>{apiKey.createdBy}</span>
      </td>
      <td className={classes.act}>
        {state === 'onHold' && <Release path={`/keys/${encodeURIComponent(apiKey.id)}`} changed={KEYS} />}
        {(state === 'active' || state === 'onHold') && (
          <>
            <Confirm
              label={text.rotate}
              title={text.rotateTitle(apiKey.name)}
              explanation={text.rotateText}
              error={rotate.error}
              onConfirm={() => rotate.mutate()}
            />
            <Confirm
              label={text.revoke}
              title={text.revokeTitle(apiKey.name)}
              explanation={text.revokeText}
              error={revoke.error}
              onConfirm={() => revoke.mutate()}
            />
          </>
        )}
      </td>
    </tr>
  )
}

function isOver({ expiresAt }: KeyView): boolean {
  return expiresAt != null && expiresAt < Date.now()
}
