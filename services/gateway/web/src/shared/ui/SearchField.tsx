/** Search field: what is typed shows at once; the address, and with it the page, follows when typing pauses. */
import { TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { NavigationType, useLocation, useNavigationType } from 'react-router'
import { keys } from '@/shared/i18n'
import { useShortcuts } from '@/shared/keyboard/useShortcuts'

const TYPING_MS = 200

interface Props {
  label: string
  hint?: string
  className?: string
  /** The value in the address. */
  value: string | undefined
  onChange: (value: string | undefined) => void
}

export function SearchField({ label, hint = label, className, value = '', onChange }: Props) {
  const field = useRef<HTMLInputElement>(null)
  const [typed, setTyped] = useState(value)
  const sent = useRef(value)
  const { key } = useLocation()
  const way = useNavigationType()
  const apply = useDebouncedCallback((text: string) => {
    sent.current = text
    onChange(text || undefined)
  }, TYPING_MS)
  useShortcuts([{ keys: '/', title: keys.search, run: () => field.current?.select() }])
  useEffect(() => {
    // Back, forward and links change the address, too; what comes back from here may be older than what is typed.
    if (way !== NavigationType.Pop && value === sent.current) return
    sent.current = value
    apply.cancel()
    setTyped(value)
  }, [value, key, way, apply])
  return (
    <TextInput
      ref={field}
      className={className}
      size="xs"
      aria-label={label}
      placeholder={hint}
      leftSection={<IconSearch size={15} stroke={1.8} />}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value)
        apply(event.currentTarget.value)
      }}
      onKeyDown={(event) => event.key === 'Escape' && field.current?.blur()}
    />
  )
}
