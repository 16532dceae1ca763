/** Keys: what agents sign in with: create (the value is shown once), see, revoke. */
import { Button, CopyButton, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { settings as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import { Form } from '@/shared/ui/Form'
import form from '@/shared/ui/form.module.css'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { KeyView, NewKey, NewKeyView } from '@/shared/wire'
import { Confirm } from './Confirm'
import { projectsFrom, projectsShown } from './projects'
import { KEYS, useKeys } from './queries'
import classes from './settings.module.css'

const COLUMNS = [text.name, text.projects, text.state, text.lastUsed, text.created, '']

export function Keys() {
  return (
    <Section title={text.keys}>
      <NewKeyForm />
      <Answer read={useKeys()}>
        {({ items }) =>
          items.length === 0 ? (
            <p className={layout.faint}>{text.noKeys}</p>
          ) : (
            <Table label={text.keys} columns={COLUMNS}>
              {items.map((key) => (
                <Row key={key.id} apiKey={key} />
              ))}
            </Table>
          )
        }
      </Answer>
    </Section>
  )
}

function NewKeyForm() {
  const { api } = useApp()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [projects, setProjects] = useState('')
  const create = useMutation({
    mutationFn: (key: Partial<NewKey>) => api.post<NewKeyView>('/keys', key),
    onSuccess: () => {
      setName('')
      setProjects('')
      return queries.invalidateQueries({ queryKey: KEYS })
    },
  })
  const submit = () => {
    create.mutate({ name, projects: projectsFrom(projects) })
  }
  if (create.data !== undefined) return <Created created={create.data} onDone={create.reset} />
  return (
    <Form action={text.create} sending={create} onSubmit={submit}>
      <TextInput
        size="xs"
        label={text.name}
        required
        pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TextInput
        size="xs"
        className={form.wide}
        label={text.projectsHint}
        value={projects}
        onChange={(event) => setProjects(event.currentTarget.value)}
      />
    </Form>
  )
}

function Created({ created, onDone }: { created: NewKeyView; onDone: () => void }) {
  return (
    <div className={classes.created} role="status" data-testid="new-key">
      <p>{text.newKey(created.name)}</p>
      <code>{created.value}</code>
      <div className={classes.actions}>
        <CopyButton value={created.value}>
          {({ copied, copy }) => (
            <Button size="xs" onClick={copy}>
              {copied ? text.copied : text.copy}
            </Button>
          )}
        </CopyButton>
        <Button size="xs" variant="default" onClick={onDone}>
          {text.done}
        </Button>
      </div>
    </div>
  )
}

function Row({ apiKey }: { apiKey: KeyView }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const revoke = useMutation({
    mutationFn: () => api.delete(`/keys/${encodeURIComponent(apiKey.id)}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: KEYS }),
  })
  const state = apiKey.revokedAt != null ? 'revoked' : isOver(apiKey) ? 'expired' : 'active'
  return (
    <tr data-testid="key" data-state={state}>
      <td>
        <strong>{apiKey.name}</strong>
      </td>
      <td className={layout.soft}>{projectsShown(apiKey.projects)}</td>
      <td className={state === 'active' ? layout.green : layout.faint}>{text[state]}</td>
      <td className={layout.nowrap}>{apiKey.lastUsedAt == null ? text.never : <Ago at={apiKey.lastUsedAt} />}</td>
      <td className={layout.nowrap}>
        <Ago at={apiKey.createdAt} /> <span className={layout.faint}>{apiKey.createdBy}</span>
      </td>
      <td className={classes.act}>
        {state === 'active' && (
          <Confirm
            label={text.revoke}
            title={text.revokeTitle(apiKey.name)}
            explanation={text.revokeText}
            error={revoke.error}
            onConfirm={() => revoke.mutate()}
          />
        )}
      </td>
    </tr>
  )
}

function isOver({ expiresAt }: KeyView): boolean {
  return expiresAt != null && expiresAt < Date.now()
}
