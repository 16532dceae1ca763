/** Filter: which configurations of a grid are shown. */
import type { Column } from '@/shared/wire'

export interface GridFilter {
  text?: string | undefined
  tag?: string | undefined
  owner?: string | undefined
  state?: string | undefined
  /** Configurations whose newest so many results are all green are hidden. */
  greenBuilds?: number | undefined
  /** Only these, where given. */
  configs?: ReadonlySet<string> | undefined
}

/** A column is of a state by its colour, or by what config.yaml says of it. */
export const STATES = ['red', 'green', 'running', 'production', 'staging', 'silent'] as const

export function shownColumns(columns: readonly Column[], filter: GridFilter): Column[] {
  const text = filter.text?.trim().toLowerCase() ?? ''
  return columns.filter(
    (column) =>
      column.config.toLowerCase().includes(text) &&
      (filter.tag === undefined || column.tags?.includes(filter.tag)) &&
      (filter.owner === undefined || column.owner === filter.owner) &&
      (filter.state === undefined || isOfState(column, filter.state)) &&
      (filter.greenBuilds === undefined || column.greenBuilds < filter.greenBuilds) &&
      (filter.configs === undefined || filter.configs.has(column.config)),
  )
}

/** What columns can be filtered by, each once. */
export function offeredBy(columns: readonly Column[]): { tags: string[]; owners: string[] } {
  const distinct = (values: readonly (string | null | undefined)[]) =>
    [...new Set(values.filter((value): value is string => !!value))].sort()
  return {
    tags: distinct(columns.flatMap((column) => column.tags ?? [])),
    owners: distinct(columns.map((column) => column.owner)),
  }
}

function isOfState(column: Column, state: string): boolean {
  if (state === 'running') return column.latestStatus === 'running' || column.latestStatus === 'queued'
  return column.colour === state || column.state === state
}
