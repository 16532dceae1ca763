/** Users: who may sign in, as what, and for which projects. */
import { Button, PasswordInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { settings as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import { Failed } from '@/shared/ui/Failed'
import { Choice, Field, Form } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { NewUser, UserChange, UserView } from '@/shared/wire'
import { rightsFrom, rightsShown } from '@/shared/ui/projects'
import { USERS, useUsers } from './queries'
import { Release } from './Release'
import classes from './settings.module.css'

const COLUMNS = [text.name, text.role, text.projects, text.state, text.created, '']

export function Users({ self }: { self: string }) {
  return (
    <Section title={text.users}>
      <NewUserForm />
      <Answer read={useUsers()}>
        {({ items }) => (
          <Table label={text.users} columns={COLUMNS}>
            {items.map((user) => (
              <Row key={user.name} user={user} isSelf={user.name === self} />
            ))}
          </Table>
        )}
      </Answer>
    </Section>
  )
}

const NOBODY = { name: '', password: '', projects: '', role: 'viewer' as NewUser['role'] }

function NewUserForm() {
  const { api } = useApp()
  const queries = useQueryClient()
  const [typed, setTyped] = useState(NOBODY)
  const type = (part: Partial<typeof NOBODY>) => setTyped({ ...typed, ...part })
  const create = useMutation({
    mutationFn: (user: NewUser) => api.post<UserView>('/users', user),
    onSuccess: () => {
      setTyped(NOBODY)
      return queries.invalidateQueries({ queryKey: USERS })
    },
  })
  const submit = () => {
    create.mutate({ ...typed, ...rightsFrom(typed.projects) })
  }
  return (
    <Form action={text.addUser} sending={create} onSubmit={submit}>
      <Field label={text.name} required autoComplete="off" value={typed.name} onChange={(name) => type({ name })} />
      <PasswordInput
        size="xs"
        label={text.password}
        required
        minLength={8}
        autoComplete="new-password"
        value={typed.password}
        onChange={(event) => type({ password: event.currentTarget.value })}
      />
      <Choice label={text.role} names={text.roles} value={typed.role} onChange={(role) => type({ role })} />
      <Field label={text.rightsHint} isWide value={typed.projects} onChange={(projects) => type({ projects })} />
    </Form>
  )
}

function Row({ user, isSelf }: { user: UserView; isSelf: boolean }) {
  const { api } = useApp()
  const queries = useQueryClient()
  const change = useMutation({
    mutationFn: (wanted: UserChange) => api.patch<UserView>(`/users/${encodeURIComponent(user.name)}`, wanted),
    onSuccess: () => queries.invalidateQueries({ queryKey: USERS }),
  })
  return (
    <tr data-testid="user">
      <td>
        <strong>{user.name}</strong>
      </td>
      <td>{text.roles[user.role]}</td>
      <td className={layout.soft}>{rightsShown(user)}</td>
      <td className={user.disabled ? layout.faint : user.onHold ? layout.warned : layout.green}>
        {user.disabled ? text.disabled : user.onHold ? text.onHold : text.active}
      </td>
      <td className={layout.nowrap}>
        <Ago at={user.createdAt} />
      </td>
      <td className={classes.act}>
        {user.onHold && <Release path={`/users/${encodeURIComponent(user.name)}`} changed={USERS} />}
        {!isSelf && (
          <Button
            size="compact-xs"
            variant="default"
            loading={change.isPending}
            onClick={() => change.mutate({ disabled: !user.disabled })}
          >
            {user.disabled ? text.enable : text.disable}
          </Button>
        )}
        {change.isError && <Failed error={change.error} />}
      </td>
    </tr>
  )
}
