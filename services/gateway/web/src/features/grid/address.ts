/** Address: what of the grid its page's address names: which columns, in which groups, which of those unfolded. */
import type { Known } from '@/shared/address/address'
import { STATES, type GridFilter } from './model/filter'

/** Hidden is what was green for so many builds; `green` is one. */
export const HIDDEN = ['green', '5', '10', '20'] as const

export const KNOWN: Known = { hide: HIDDEN, state: STATES }

/** The parameters that make a view worth a name. */
export const OF_A_VIEW = ['by', 'open', 'q', 'tag', 'owner', 'state', 'hide', 'incident'] as const

export function filterOf(params: URLSearchParams): GridFilter {
  const [text, tag, owner, state, hide] = ['q', 'tag', 'owner', 'state', 'hide'].map(
    (name) => params.get(name) ?? undefined,
  )
  return { text, tag, owner, state, greenBuilds: hide === undefined ? undefined : hide === 'green' ? 1 : Number(hide) }
}

const SEPARATOR = '~'

export function openGroups(params: URLSearchParams): ReadonlySet<string> {
  return new Set(params.get('open')?.split(SEPARATOR))
}

export function withOpened(open: ReadonlySet<string>, value: string): string | undefined {
  const next = new Set(open)
  if (!next.delete(value)) next.add(value)
  return [...next].join(SEPARATOR) || undefined
}
