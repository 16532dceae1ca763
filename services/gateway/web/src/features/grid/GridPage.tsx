/** Grid page: the commits of a branch by its configurations: look down a column for where the red begins. */
import { Switch } from '@mantine/core'
import { useMemo } from 'react'
import { Navigate, useLocation, useParams } from 'react-router'
import { useAddress } from '@/shared/address/address'
import { completed } from '@/shared/address/choice'
import { Missing, titleOf } from '@/shared/address/Chosen'
import { toGrid } from '@/shared/address/links'
import { useKnown } from '@/shared/address/useChoice'
import { grid as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { Notice, Unknown } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { SearchField } from '@/shared/ui/SearchField'
import type { Grid } from '@/shared/wire'
import { GridTable } from './GridTable'
import { shownColumns, suspectRanges } from './model'
import { useGrid } from './queries'
import { RedColumns } from './RedColumns'

const KNOWN = { hide: ['green'] }

export function GridPage() {
  const { project = '', '*': branch = '' } = useParams()
  const { search } = useLocation()
  const named = useMemo(() => ({ project, branch: branch || undefined }), [project, branch])
  const { lanes, missing } = useKnown(named)
  const built = missing === undefined && lanes !== undefined ? completed(named, lanes).branch : undefined
  const address = useAddress(KNOWN)
  const read = useGrid(project, branch, branch !== '')
  const isGreenHidden = address.get('hide') !== undefined
  const filter = address.get('q')

  if (branch === '' && built !== undefined)
    return <Navigate to={{ pathname: toGrid(project, built), search }} replace />
  return (
    <Page
      title={titleOf(named)}
      tools={
        <>
          <SearchField label={text.filter} value={filter} onChange={(q) => address.change({ q }, true)} />
          <Switch
            size="xs"
            label={text.hideGreen}
            checked={isGreenHidden}
            onChange={(event) => address.change({ hide: event.currentTarget.checked ? 'green' : undefined })}
            styles={{ body: { alignItems: 'center', height: '100%' } }}
          />
        </>
      }
    >
      {missing === undefined ? (
        <Answer read={read}>
          {({ pages }) => <Commits pages={pages} filter={filter ?? ''} isGreenHidden={isGreenHidden} />}
        </Answer>
      ) : (
        <Missing part={missing} named={named} />
      )}
      <More read={read} label={text.more} />
    </Page>
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
