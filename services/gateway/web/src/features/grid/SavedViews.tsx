/** Saved views: what the address says of the grid, under a name; kept in this browser, and sent as a link to others. */
import { ActionIcon, Button, Menu } from '@mantine/core'
import { IconBookmark, IconX } from '@tabler/icons-react'
import { useState, useSyncExternalStore } from 'react'
import type { Address } from '@/shared/address/address'
import { grid as text } from '@/shared/i18n'
import { Dialog } from '@/shared/ui/Dialog'
import { Field, Form } from '@/shared/ui/Form'
import { OF_A_VIEW } from './address'
import classes from './GridPage.module.css'
import { Views } from './views'

const savedViews = new Views(localStorage)
addEventListener('storage', () => savedViews.reread())

const IDLE = { isPending: false, error: null }

export function SavedViews({ address }: { address: Address }) {
  const views = useSyncExternalStore(savedViews.subscribe, savedViews.snapshot)
  const [isNaming, setNaming] = useState(false)
  const [name, setName] = useState('')
  const now = viewOf(address)
  const shown = views.find((view) => view.search === now)
  return (
    <>
      <Menu position="bottom-end" width={240}>
        <Menu.Target>
          <Button variant="default" size="xs" leftSection={<IconBookmark size={14} />}>
            {shown?.name ?? text.views}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {views.length === 0 && <Menu.Label>{text.noViews}</Menu.Label>}
          {views.map((view) => (
            <div key={view.name} className={classes.view}>
              <Menu.Item onClick={() => address.change(changesTo(view.search))}>{view.name}</Menu.Item>
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                aria-label={text.forget(view.name)}
                onClick={() => savedViews.forget(view.name)}
              >
                <IconX size={14} />
              </ActionIcon>
            </div>
          ))}
          <Menu.Divider />
          <Menu.Item disabled={now === ''} onClick={() => setNaming(true)}>
            {text.saveView}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Dialog isOpen={isNaming} onClose={() => setNaming(false)} title={text.saveView}>
        <Form
          action={text.save}
          isIncomplete={name.trim() === ''}
          sending={IDLE}
          onSubmit={() => {
            savedViews.save({ name: name.trim(), search: now })
            setNaming(false)
            setName('')
          }}
        >
          <Field label={text.viewName} value={name} onChange={setName} data-autofocus isWide />
        </Form>
      </Dialog>
    </>
  )
}

/** What makes the view, and nothing else the address may hold; in one order, so that equal views are equal. */
function viewOf(address: Address): string {
  const given = OF_A_VIEW.flatMap((name) => (address.get(name) === undefined ? [] : [[name, address.get(name) ?? '']]))
  return new URLSearchParams(given).toString()
}

function changesTo(search: string): Record<string, string | undefined> {
  const params = new URLSearchParams(search)
  return Object.fromEntries(OF_A_VIEW.map((name) => [name, params.get(name) ?? undefined]))
}
