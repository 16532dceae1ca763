/** Groups: what several people may do, and who they are. */
import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { settings as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Failed } from '@/shared/ui/Failed'
import { Choice, Field, Form } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { GroupRights, GroupView } from '@/shared/wire'
import { Confirm } from '@/shared/ui/Confirm'
import { rightsFrom, rightsShown } from '@/shared/ui/projects'
import { GROUPS, useGroups, USERS } from './queries'
import classes from './settings.module.css'

const COLUMNS = [text.name, text.role, text.projects, text.members, '']
const NAME = '[A-Za-z0-9][A-Za-z0-9_.@+:\\-]*'

export function Groups() {
  return (
    <Section title={text.groups}>
      <GroupForm />
      <Answer read={useGroups()}>
        {({ items }) =>
          items.length === 0 ? (
            <p className={layout.faint}>{text.noGroups}</p>
          ) : (
            <Table label={text.groups} columns={COLUMNS}>
              {items.map((group) => (
                <Row key={group.name} group={group} />
              ))}
            </Table>
          )
        }
      </Answer>
    </Section>
  )
}

const NOTHING = { name: '', projects: '', role: 'viewer' as GroupRights['role'] }

function GroupForm() {
  const { api } = useApp()
  const [typed, setTyped] = useState(NOTHING)
  const type = (part: Partial<typeof NOTHING>) => setTyped({ ...typed, ...part })
  const put = useChange(() => {
    const rights = { role: typed.role, ...rightsFrom(typed.projects) }
    return api.put<GroupView>(`/groups/${encodeURIComponent(typed.name)}`, rights)
  })
  return (
    <Form
      action={text.putGroup}
      sending={put}
      onSubmit={() => put.mutate(undefined, { onSuccess: () => setTyped(NOTHING) })}
    >
      <Field label={text.name} required pattern={NAME} value={typed.name} onChange={(name) => type({ name })} />
      <Choice label={text.role} names={text.roles} value={typed.role} onChange={(role) => type({ role })} />
      <Field label={text.rightsHint} isWide value={typed.projects} onChange={(projects) => type({ projects })} />
    </Form>
  )
}

function Row({ group }: { group: GroupView }) {
  const { api } = useApp()
  const path = `/groups/${encodeURIComponent(group.name)}`
  const memberPath = (name: string) => `${path}/members/${encodeURIComponent(name)}`
  const [joining, setJoining] = useState('')
  const join = useChange(() => api.put<unknown>(memberPath(joining.trim()), {}))
  const leave = useChange((name: string) => api.delete(memberPath(name)))
  const remove = useChange(() => api.delete(path))
  return (
    <tr data-testid="group">
      <td>
        <strong>{group.name}</strong>
      </td>
      <td>{text.roles[group.role]}</td>
      <td className={layout.soft}>{rightsShown(group)}</td>
      <td>
        {group.members.map((name) => (
          <Button
            key={name}
            size="compact-xs"
            variant="light"
            title={text.leave(name)}
            aria-label={text.leave(name)}
            onClick={() => leave.mutate(name)}
          >
            {name} ×
          </Button>
        ))}
        <Form
          action={text.join}
          isIncomplete={joining.trim() === ''}
          sending={join}
          onSubmit={() => join.mutate(undefined, { onSuccess: () => setJoining('') })}
        >
          <Field aria-label={text.joinName(group.name)} value={joining} onChange={setJoining} />
        </Form>
        {leave.isError && <Failed error={leave.error} />}
      </td>
      <td className={classes.act}>
        <Confirm
          label={text.remove}
          title={text.removeGroupTitle(group.name)}
          explanation={text.removeGroupText}
          error={remove.error}
          onConfirm={() => remove.mutate()}
        />
      </td>
    </tr>
  )
}

/** A change of groups; who is in which is read again with people, too. */
function useChange<T = void>(change: (what: T) => Promise<unknown>) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => Promise.all([GROUPS, USERS].map((queryKey) => queries.invalidateQueries({ queryKey }))),
  })
}
