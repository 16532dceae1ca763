/** The choice of a page in React: read from its address, written there, and chosen anew by its selects. */
import { Select } from '@mantine/core'
import { useCallback, useMemo, type ReactNode } from 'react'
import { useSearchParams } from 'react-router'
import { useRead, useSummary } from '@/shared/api/queries/history'
import { choice as text } from '@/shared/i18n'
import type { LaneSummary, Summary } from '@/shared/wire'
import { useAddress, withChanges, type Address, type Known as Values } from './address'
import { chosen, completed, missingOf, namedIn, offered, PARTS, type Named, type Part } from './choice'

interface Asked {
  /** What the page can be narrowed to. */
  parts: readonly Part[]
  /** The page is of one branch: its address is completed to name it. */
  isOfBranch?: boolean
  /** Other parameters of the page that have few values. */
  known?: Values
}

export interface Choice extends Named {
  isOfBranch: boolean
  address: Address
  selects: ReactNode
  /** What is named and not known; nothing else is shown for it. */
  missing: Part | undefined
  /** The lanes that are known, for what else the page shows of them. */
  lanes: readonly LaneSummary[]
  summary: ReturnType<typeof useSummary>
}

const NO_LANES: readonly LaneSummary[] = []
const NONE: Values = {}

export function useChoice({ parts, isOfBranch = false, known = NONE }: Asked): Choice {
  const [given] = useSearchParams()
  const summary = useSummary()
  const { lanes, missing } = useKnown(useMemo(() => namedIn(given), [given]))
  const values = useMemo(
    () => ({
      ...Object.fromEntries(PARTS.filter((part) => !parts.includes(part)).map((part) => [part, []])),
      ...known,
    }),
    [parts, known],
  )
  const complete = useCallback(
    (params: URLSearchParams) => {
      if (!isOfBranch) return params
      const named = namedIn(params)
      return withChanges(params, lanes === undefined ? named : completed(named, lanes))
    },
    [lanes, isOfBranch],
  )
  const address = useAddress(values, complete)
  const named: Named = Object.fromEntries(PARTS.map((part) => [part, address.get(part)]))
  const offers = offered(named, lanes ?? NO_LANES)
  const selects = parts.map((part) => {
    const isNeeded = isOfBranch && part !== 'config'
    return (
      <Select
        key={part}
        size="xs"
        w={180}
        aria-label={text.names[part]}
        placeholder={text.all[part]}
        data={offers[part]}
        value={named[part] ?? null}
        onChange={(value) => address.change(chosen(part, value ?? undefined, named, lanes ?? NO_LANES))}
        disabled={part === 'branch' && named.project === undefined}
        allowDeselect={!isNeeded}
        clearable={!isNeeded}
        searchable
      />
    )
  })
  return { ...named, isOfBranch, address, selects, missing, lanes: lanes ?? NO_LANES, summary }
}

interface Known {
  /** Undefined while they are not known yet. */
  lanes: readonly LaneSummary[] | undefined
  missing: Part | undefined
}

/** The lanes there are, and what is not among them. What the list lacks is asked for by its project: it may be newer. */
export function useKnown(named: Named): Known {
  const { project } = named
  const all = useSummary().data?.items
  const isDoubtful = all !== undefined && missingOf(named, all) !== undefined
  const own = useRead<Summary>('/history/summary', { project }, isDoubtful && project !== undefined).data?.items
  return useMemo(() => {
    if (all === undefined || !isDoubtful) return { lanes: all, missing: undefined }
    if (project === undefined) return { lanes: all, missing: missingOf(named, all) }
    if (own === undefined) return { lanes: all, missing: undefined }
    const lanes = [...all.filter((lane) => lane.project !== project), ...own]
    return { lanes, missing: missingOf(named, lanes) }
  }, [all, own, isDoubtful, project, named])
}
