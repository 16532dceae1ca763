/** Users: who may sign in, as what, and for which projects. */
import { Button, PasswordInput, Select, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { settings as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import { Failed } from '@/shared/ui/Failed'
import { Form } from '@/shared/ui/Form'
import form from '@/shared/ui/form.module.css'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { NewUser, UserChange, UserView } from '@/shared/wire'
import { projectsFrom, projectsShown } from './projects'
import { USERS, useUsers } from './queries'
import classes from './settings.module.css'

const COLUMNS = [text.name, text.role, text.projects, text.state, text.created, '']
const ROLES = Object.entries(text.roles).map(([value, label]) => ({ value, label }))

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
  const create = useMutation({
    mutationFn: (user: NewUser) => api.post<UserView>('/users', user),
    onSuccess: () => {
      setTyped(NOBODY)
      return queries.invalidateQueries({ queryKey: USERS })
    },
  })
  const submit = () => {
    create.mutate({ ...typed, projects: projectsFrom(typed.projects) })
  }
  return (
    <Form action={text.addUser} sending={create} onSubmit={submit}>
      <TextInput
        size="xs"
        label={text.name}
        required
        autoComplete="off"
        value={typed.name}
        onChange={(event) => setTyped({ ...typed, name: event.currentTarget.value })}
      />
      <PasswordInput
        size="xs"
        label={text.password}
        required
        minLength={8}
        autoComplete="new-password"
        value={typed.password}
        onChange={(event) => setTyped({ ...typed, password: event.currentTarget.value })}
      />
      <Select
        size="xs"
        label={text.role}
        data={ROLES}
        value={typed.role}
        allowDeselect={false}
        onChange={(role) => setTyped({ ...typed, role: role as NewUser['role'] })}
      />
      <TextInput
        size="xs"
        className={form.wide}
        label={text.projectsHint}
        value={typed.projects}
        onChange={(event) => setTyped({ ...typed, projects: event.currentTarget.value })}
      />
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
      <td className={layout.soft}>{projectsShown(user.projects)}</td>
      <td className={user.disabled ? layout.faint : layout.green}>{user.disabled ? text.disabled : text.active}</td>
      <td className={layout.nowrap}>
        <Ago at={user.createdAt} />
      </td>
      <td className={classes.act}>
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
