/** Filter: what the list shows; kept in the address, so that it can be linked, reloaded and gone back to. */
import { useCallback, useMemo } from 'react'
import { useSearchParams } from 'react-router'
import type { Filter } from '../live/rows'
import { statusName } from '../strings'
import type { BuildStatus } from '../wire'

export function useFilter(): [Filter, (change: Filter) => void] {
  const [params, setParams] = useSearchParams()
  const filter = useMemo(() => filterOf(params), [params])
  const change = useCallback(
    (next: Filter) => {
      const { text, ...rest } = { ...filter, ...next }
      const given = Object.entries({ ...rest, q: text }).filter((entry): entry is [string, string] => !!entry[1])
      setParams(new URLSearchParams(given), { replace: true })
    },
    [filter, setParams],
  )
  return [filter, change]
}

function filterOf(params: URLSearchParams): Filter {
  const status = params.get('status') ?? undefined
  return {
    project: params.get('project') ?? undefined,
    branch: params.get('branch') ?? undefined,
    status: status !== undefined && status in statusName ? (status as BuildStatus) : undefined,
    text: params.get('q') ?? undefined,
  }
}
