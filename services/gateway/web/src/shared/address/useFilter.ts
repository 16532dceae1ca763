/** Filter: what the list shows; kept in the address, so that it can be linked, reloaded and gone back to. */
import { useCallback, useMemo } from 'react'
import { statusName } from '@/shared/i18n'
import type { Filter } from '@/shared/live/rows'
import type { BuildStatus } from '@/shared/wire'
import { useAddress } from './address'

const KNOWN = { status: Object.keys(statusName) }

export function useFilter(): [Filter, (change: Filter) => void] {
  const { params, change } = useAddress(KNOWN)
  const filter = useMemo(() => filterOf(params), [params])
  const apply = useCallback(
    (next: Filter) => {
      const { text, ...chosen } = next
      const isTyped = Object.keys(chosen).length === 0
      change('text' in next ? { ...chosen, q: text } : chosen, isTyped)
    },
    [change],
  )
  return [filter, apply]
}

function filterOf(params: URLSearchParams): Filter {
  const [project, branch, status, text] = ['project', 'branch', 'status', 'q'].map(
    (name) => params.get(name) ?? undefined,
  )
  return { project, branch, status: status as BuildStatus | undefined, text }
}

/** Whether something of a project's branch is to be seen. */
export function isWanted({ project, branch }: { project: string; branch?: string | null }, filter: Filter): boolean {
  return (!filter.project || filter.project === project) && (!filter.branch || filter.branch === branch)
}
