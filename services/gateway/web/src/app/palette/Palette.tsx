/** Palette: go anywhere by typing a part of its name (Ctrl-K). */
import { Modal, TextInput } from '@mantine/core'
import { useEffect, useId, useState, type KeyboardEvent } from 'react'
import { useNavigate } from 'react-router'
import { useRows } from '@/shared/api/app-context'
import { useSummary } from '@/shared/api/queries/history'
import { keys, palette as text } from '@/shared/i18n'
import { useShortcuts } from '@/shared/keyboard/useShortcuts'
import { offersFor } from './offers'
import classes from './Palette.module.css'

export function Palette() {
  const [isOpen, setOpen] = useState(false)
  // Named here for the help; with a modifier key held, the listener below receives it.
  useShortcuts([{ keys: 'Ctrl K', title: keys.palette, run: () => setOpen(true) }])
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      setOpen((now) => !now)
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return (
    <Modal
      opened={isOpen}
      onClose={() => setOpen(false)}
      title={text.title}
      withCloseButton={false}
      lockScroll={false}
      size="lg"
      yOffset="12vh"
    >
      <Choice onDone={() => setOpen(false)} />
    </Modal>
  )
}

function Choice({ onDone }: { onDone: () => void }) {
  const navigate = useNavigate()
  const rows = useRows()
  const lanes = useSummary().data?.items ?? []
  const list = useId()
  const [typed, setTyped] = useState('')
  const [chosen, setChosen] = useState(0)
  const offers = offersFor(typed, lanes, [...rows.values()])
  const at = Math.min(chosen, offers.length - 1)

  const go = (to: string | undefined) => {
    if (to === undefined) return
    onDone()
    void navigate(to)
  }
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (by !== undefined) {
      event.preventDefault()
      setChosen((at + by + offers.length) % offers.length)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      go(offers[at]?.to)
    }
  }

  return (
    <>
      <TextInput
        data-autofocus
        aria-label={text.hint}
        placeholder={text.hint}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={`${list}-${at}`}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value)
          setChosen(0)
        }}
        onKeyDown={onKey}
      />
      <div id={list} role="listbox" aria-label={text.title} className={classes.offers}>
        {offers.map((offer, place) => (
          // The field above has the focus and its keys, and names the option that is chosen.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- see above
          <div
            key={offer.to}
            id={`${list}-${place}`}
            ref={place === at ? inSight : undefined}
            role="option"
            aria-selected={place === at}
            className={classes.offer}
            onClick={() => go(offer.to)}
            onPointerMove={() => setChosen(place)}
          >
            <span>{offer.title}</span>
            <span className={classes.detail}>{offer.detail}</span>
          </div>
        ))}
      </div>
    </>
  )
}

function inSight(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: 'nearest' })
}
