/** Shortcuts in React: the one key listener of the page, and a hook that adds a component's shortcuts. */
import { useEffect, useRef } from 'react'
import { Shortcuts, type Shortcut } from './shortcuts'

export const shortcuts = new Shortcuts()

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  const target = event.target as HTMLElement
  const isTyping = target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
  // A dialog has the keyboard to itself.
  if (isTyping || document.querySelector('[role=dialog]') !== null) return
  if (shortcuts.press(event.key, event.timeStamp)) event.preventDefault()
})

/** Adds shortcuts while the caller is shown; their titles and keys stay, what they do is always the newest. */
export function useShortcuts(own: readonly Shortcut[]): void {
  const newest = useRef(own)
  useEffect(() => {
    newest.current = own
  })
  const signature = own.map(({ keys, title }) => `${keys}\n${title}`).join('\n')
  useEffect(
    () => shortcuts.add(newest.current.map((shortcut, at) => ({ ...shortcut, run: () => newest.current[at]?.run() }))),
    [signature],
  )
}
