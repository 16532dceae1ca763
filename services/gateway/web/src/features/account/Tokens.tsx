/** Tokens: the personal ones of who is signed in: create (the value is shown once), see, revoke. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { instant } from '@/shared/format'
import { settings, tokens as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import { Answer } from '@/shared/ui/Answer'
import { Confirm } from '@/shared/ui/Confirm'
import { Ago } from '@/shared/ui/Elapsed'
import { Choice, Field, Form } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { projectsFrom, projectsShown } from '@/shared/ui/projects'
import { ShownOnce } from '@/shared/ui/ShownOnce'
import { Table } from '@/shared/ui/Table'
import type { NewToken, NewTokenView, TokenList, TokenView } from '@/shared/wire'

const TOKENS = ['tokens']
const COLUMNS = [text.name, text.level, settings.projects, settings.state, text.lastUsed, text.expires, '']
const DAY_SECONDS = 86_400

export function Tokens() {
  const { api } = useApp()
  const read = useQuery({ queryKey: TOKENS, queryFn: ({ signal }) => api.get<TokenList>('/tokens', {}, signal) })
  const [created, setCreated] = useState<NewTokenView>()
  return (
    <Section title={text.section}>
      <p className={layout.soft}>{text.lead}</p>
      {created === undefined ? (
        <NewTokenForm onCreated={setCreated} />
      ) : (
        <ShownOnce
          lead={text.created(created.name)}
          value={created.value}
          testId="new-token"
          onDone={() => setCreated(undefined)}
        />
      )}
      <Answer read={read}>
        {({ items }) =>
          items.length === 0 ? (
            <p className={layout.faint}>{text.none}</p>
          ) : (
            <Table label={text.section} columns={COLUMNS}>
              {items.map((token) => (
                <Row key={token.id} token={token} />
              ))}
            </Table>
          )
        }
      </Answer>
    </Section>
  )
}

const EMPTY = { name: '', level: 'read' as NewToken['level'], projects: '', days: '90' }

function NewTokenForm({ onCreated }: { onCreated: (created: NewTokenView) => void }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const [typed, setTyped] = useState(EMPTY)
  const type = (part: Partial<typeof EMPTY>) => setTyped({ ...typed, ...part })
  const create = useMutation({
    mutationFn: (token: NewToken) => api.post<NewTokenView>('/tokens', token),
    onSuccess: (made) => {
      onCreated(made)
      return queries.invalidateQueries({ queryKey: TOKENS })
    },
  })
  const submit = () => {
    const { name, level, projects, days } = typed
    create.mutate({ name, level, projects: projectsFrom(projects), expiresInSeconds: Number(days) * DAY_SECONDS })
  }
  return (
    <Form action={text.create} sending={create} onSubmit={submit}>
      <Field label={text.name} required value={typed.name} onChange={(name) => type({ name })} />
      <Choice label={text.level} names={text.levels} value={typed.level} onChange={(level) => type({ level })} />
      <Field label={settings.projectsHint} isWide value={typed.projects} onChange={(projects) => type({ projects })} />
      <Field
        label={text.days}
        required
        pattern="[1-9][0-9]{0,2}"
        inputMode="numeric"
        value={typed.days}
        onChange={(days) => type({ days })}
      />
    </Form>
  )
}

function Row({ token }: { token: TokenView }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const revoke = useMutation({
    mutationFn: () => api.delete(`/tokens/${encodeURIComponent(token.id)}`),
    onSuccess: () => queries.invalidateQueries({ queryKey: TOKENS }),
  })
  const now = useNow()
  const state = token.revokedAt != null ? 'revoked' : token.expiresAt <= now ? 'expired' : 'active'
  return (
    <tr data-testid="token" data-state={state}>
      <td>
        <strong>{token.name}</strong>
      </td>
      <td>{text.levels[token.level]}</td>
      <td className={layout.soft}>{projectsShown(token.projects)}</td>
      <td className={state === 'active' ? layout.green : layout.faint}>{settings[state]}</td>
      <td className={layout.nowrap}>{token.lastUsedAt == null ? settings.never : <Ago at={token.lastUsedAt} />}</td>
      <td className={layout.nowrap}>{instant(token.expiresAt)}</td>
      <td>
        {state === 'active' && (
          <Confirm
            label={text.revoke}
            title={text.revokeTitle(token.name)}
            explanation={text.revokeText}
            error={revoke.error}
            onConfirm={() => revoke.mutate()}
          />
        )}
      </td>
    </tr>
  )
}
