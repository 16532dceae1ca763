/** Grid page: the commits of a branch by its configurations: look down a column for where the red begins. */
import { Switch, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useMemo, useRef, useState } from 'react'
import { useParams, useSearchParams } from 'react-router'
import { useGrid } from '../history/queries'
import { useShortcuts } from '../keyboard/useShortcuts'
import { Answer } from '../layout/Answer'
import layout from '../layout/layout.module.css'
import { More } from '../layout/More'
import { Notice, Unknown } from '../layout/Notice'
import { Page } from '../layout/Page'
import { grid as text, keys } from '../strings'
import type { Grid } from '../wire'
import { GridTable } from './GridTable'
import { shownColumns, suspectRanges } from './model'
import { RedColumns } from './RedColumns'

const TYPING_MS = 150

export function GridPage() {
  const { project = '', '*': branch = '' } = useParams()
  const read = useGrid(project, branch)
  const [params, setParams] = useSearchParams()
  const isGreenHidden = params.get('hide') === 'green'
  const filter = params.get('q') ?? ''

  const change = (name: string, value: string) =>
    setParams(
      (now) => {
        const next = new URLSearchParams(now)
        if (value === '') next.delete(name)
        else next.set(name, value)
        return next
      },
      { replace: true },
    )

  return (
    <Page
      title={`${project} ${branch}`}
      tools={
        <>
          <ConfigFilter value={filter} onChange={(value) => change('q', value)} />
          <Switch
            size="xs"
            label={text.hideGreen}
            checked={isGreenHidden}
            onChange={(event) => change('hide', event.currentTarget.checked ? 'green' : '')}
            styles={{ body: { alignItems: 'center', height: '100%' } }}
          />
        </>
      }
    >
      <Answer read={read}>
        {({ pages }) => <Commits pages={pages} filter={filter} isGreenHidden={isGreenHidden} />}
      </Answer>
      <More read={read} label={text.more} />
    </Page>
  )
}

/** What is typed shows at once; the address, and with it the table, follows when typing pauses. */
function ConfigFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const search = useRef<HTMLInputElement>(null)
  const [typed, setTyped] = useState(value)
  const apply = useDebouncedCallback(onChange, TYPING_MS)
  useShortcuts([{ keys: '/', title: keys.search, run: () => search.current?.focus() }])
  return (
    <TextInput
      ref={search}
      size="xs"
      aria-label={text.filter}
      placeholder={text.filter}
      leftSection={<IconSearch size={15} stroke={1.8} />}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value)
        apply(event.currentTarget.value)
      }}
      onKeyDown={(event) => event.key === 'Escape' && search.current?.blur()}
    />
  )
}

function Commits({ pages, filter, isGreenHidden }: { pages: Grid[]; filter: string; isGreenHidden: boolean }) {
  const [newest] = pages
  const rows = useMemo(() => pages.flatMap((page) => page.rows), [pages])
  const all = newest?.columns ?? []
  const columns = shownColumns(all, rows, filter, isGreenHidden)
  const ranges = suspectRanges(columns, rows)
  if (newest === undefined || rows.length === 0) {
    return (
      <Notice title={text.emptyTitle}>
        <p>{text.empty}</p>
      </Notice>
    )
  }
  return (
    <>
      <RedColumns ranges={ranges} />
      {columns.length === 0 && <p className={layout.faint}>{text.allHidden}</p>}
      <GridTable label={text.label(newest.project, newest.branch)} columns={columns} rows={rows} ranges={ranges} />
      <p className={layout.unknown}>{text.hint}</p>
      <Unknown sentences={newest.unknown} />
    </>
  )
}
