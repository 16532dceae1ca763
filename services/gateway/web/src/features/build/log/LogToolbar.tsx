/** Log toolbar: search, hits, follow, wrap, times, download. */
import { ActionIcon, Button, TextInput, Tooltip } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import {
  IconAlertTriangle,
  IconArrowBarToDown,
  IconChevronDown,
  IconChevronUp,
  IconClock,
  IconDownload,
  IconSearch,
  IconTextWrap,
} from '@tabler/icons-react'
import { useRef, useState } from 'react'
import { useApp } from '@/shared/api/app-context'
import { count } from '@/shared/format'
import { keys, log } from '@/shared/i18n'
import { useShortcuts } from '@/shared/keyboard/useShortcuts'
import { save } from '@/shared/ui/save'
import type { Build } from '@/shared/wire'
import classes from './LogView.module.css'
import type { Search } from './useLogSearch'
import type { Errors } from './useMarks'

const TYPING_MS = 250

export interface LogOptions {
  isWrapped: boolean
  isTimed: boolean
}

interface Props {
  build: Build
  total: number
  search: Search
  errors: Errors
  options: LogOptions
  onOptions: (options: LogOptions) => void
  isFollowing: boolean
  onFollow: (isFollowing: boolean) => void
}

export function LogToolbar({ build, total, search, errors, options, onOptions, isFollowing, onFollow }: Props) {
  const { api } = useApp()
  const [isDownloading, setDownloading] = useState(false)

  async function download() {
    setDownloading(true)
    try {
      save(await api.blob(`/builds/${build.id}/logs`, { format: 'text' }), `${build.project}-${build.id}.log`)
    } finally {
      setDownloading(false)
    }
  }

  return (
    <div className={classes.toolbar}>
      <SearchField search={search} />
      <span className={classes.length} data-testid="log-total" data-total={total}>
        {log.lines(count(total))}
      </span>
      <span className={classes.spring} />
      <ErrorSteps errors={errors} />
      <Toggle
        label={log.times}
        isOn={options.isTimed}
        onClick={() => onOptions({ ...options, isTimed: !options.isTimed })}
      >
        <IconClock size={16} stroke={1.7} />
      </Toggle>
      <Toggle
        label={log.wrap}
        isOn={options.isWrapped}
        onClick={() => onOptions({ ...options, isWrapped: !options.isWrapped })}
      >
        <IconTextWrap size={16} stroke={1.7} />
      </Toggle>
      <Tooltip label={log.download}>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={log.download}
          loading={isDownloading}
          onClick={() => void download()}
        >
          <IconDownload size={16} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
      <Button
        size="compact-xs"
        variant={isFollowing ? 'filled' : 'default'}
        aria-pressed={isFollowing}
        title={log.followHint}
        leftSection={<IconArrowBarToDown size={14} stroke={1.8} />}
        onClick={() => onFollow(!isFollowing)}
        data-testid="log-follow"
      >
        {log.follow}
      </Button>
    </div>
  )
}

function SearchField({ search }: { search: Search }) {
  const field = useRef<HTMLInputElement>(null)
  const apply = useDebouncedCallback(search.setQuery, TYPING_MS)
  useShortcuts([{ keys: '/', title: keys.search, run: () => field.current?.select() }])
  return (
    <div className={classes.search} role="search">
      <TextInput
        ref={field}
        size="xs"
        aria-label={log.search}
        placeholder={log.search}
        leftSection={<IconSearch size={15} stroke={1.8} />}
        onChange={(event) => apply(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') search.step(event.shiftKey ? -1 : 1)
          if (event.key === 'Escape') event.currentTarget.blur()
        }}
      />
      {search.query !== '' && (
        <>
          <span className={classes.hits} role="status" data-testid="log-hits">
            {hitsOf(search)}
          </span>
          <ActionIcon variant="subtle" color="gray" aria-label={log.previous} onClick={() => search.step(-1)}>
            <IconChevronUp size={16} />
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" aria-label={log.next} onClick={() => search.step(1)}>
            <IconChevronDown size={16} />
          </ActionIcon>
        </>
      )}
    </div>
  )
}

/** Where the reader is among the errors, and the way to the next one. */
function ErrorSteps({ errors }: { errors: Errors }) {
  const { at, total, isExact, isBusy } = errors
  const all = `${count(total)}${isExact || total === 0 ? '' : '+'}`
  return (
    <div className={classes.errors} data-some={total > 0} role="group" aria-label={log.errors}>
      <IconAlertTriangle size={15} stroke={1.8} aria-hidden />
      <span role="status" data-testid="log-errors">
        {isBusy ? log.searching : at > 0 ? log.hits(count(at), all) : all}
      </span>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={keys.previousError}
        title={`${keys.previousError} (E)`}
        onClick={() => errors.step(-1)}
      >
        <IconChevronUp size={16} />
      </ActionIcon>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={keys.nextError}
        title={`${keys.nextError} (e)`}
        onClick={() => errors.step(1)}
      >
        <IconChevronDown size={16} />
      </ActionIcon>
    </div>
  )
}

function hitsOf(search: Search): string {
  if (search.isFailed) return log.searchFailed
  if (search.total === 0) return search.isBusy ? log.searching : log.noHits
  return log.hits(count(search.at), `${count(search.total)}${search.isExact ? '' : '+'}`)
}

interface ToggleProps {
  label: string
  isOn: boolean
  onClick: () => void
  children: React.ReactNode
}

function Toggle({ label, isOn, onClick, children }: ToggleProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant={isOn ? 'light' : 'subtle'}
        color={isOn ? 'blue' : 'gray'}
        aria-label={label}
        aria-pressed={isOn}
        onClick={onClick}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  )
}
