/** Commits: the grid itself below its incidents, narrowed and grouped as the address says. */
import { useMemo } from 'react'
import type { Address } from '@/shared/address/address'
import { useOpenIncidents } from '@/shared/api/queries/history'
import { grid as text } from '@/shared/i18n'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { Notice, Unknown } from '@/shared/ui/Notice'
import type { Grid } from '@/shared/wire'
import { filterOf, openGroups, withOpened } from './address'
import { GridFilters } from './GridFilters'
import classes from './GridPage.module.css'
import { GridTable } from './GridTable'
import { Incidents } from './Incidents'
import { shownColumns } from './model/filter'
import { axisOf, grouped, type Group } from './model/groups'
import { suspectIn, suspectRanges } from './model/suspects'
import { columnsOf } from './model/table'
import { useLiveRows } from './queries'

interface Props {
  pages: Grid[]
  read: Parameters<typeof More>[0]['read']
  address: Address
}

export function Commits({ pages, read, address }: Props) {
  const [newest] = pages
  const known = useMemo(() => pages.flatMap((page) => page.rows), [pages])
  const { project = '', branch = '' } = newest ?? {}
  const rows = useLiveRows(known, project, branch)
  const incidents = useOpenIncidents(project, branch).data?.items
  const all = useMemo(() => newest?.columns ?? [], [newest])
  const { params } = address
  const chosen = incidents?.find(({ id }) => id === address.get('incident'))
  const shown = useMemo(() => {
    const configs = chosen && new Set(chosen.configs)
    const columns = shownColumns(all, { ...filterOf(params), configs })
    const open = openGroups(params)
    const axis = axisOf(params.get('by') ?? undefined, all)
    const groups = grouped(columns, axis)
    // A group of one is no shorter than its only member, and says less.
    const isOpen = ({ value, members }: Group) => axis === undefined || members.length === 1 || open.has(value)
    return { columns, axis, groups, open, drawn: columnsOf(groups, isOpen) }
  }, [all, chosen, params])
  const suspects = useMemo(() => suspectIn(suspectRanges(shown.columns, known)), [shown.columns, known])

  if (newest === undefined || rows.length === 0) {
    return (
      <Notice title={text.emptyTitle}>
        <p>{text.empty}</p>
      </Notice>
    )
  }
  return (
    <>
      <Incidents incidents={incidents} columns={all} rows={known} address={address} />
      <GridFilters address={address} columns={all} axis={shown.axis} groups={shown.groups} />
      {shown.columns.length === 0 && <p className={layout.faint}>{text.allHidden}</p>}
      <GridTable
        label={text.label(project, branch)}
        project={project}
        branch={branch}
        columns={shown.drawn}
        rows={rows}
        suspects={suspects}
        focusedSha={chosen?.openedCommit ?? undefined}
        onFold={({ value }) => address.change({ open: withOpened(shown.open, value) })}
      />
      <div className={classes.foot}>
        <More read={read} label={text.more} />
        <p className={layout.unknown}>{text.hint}</p>
        <Unknown sentences={newest.unknown} />
      </div>
    </>
  )
}
