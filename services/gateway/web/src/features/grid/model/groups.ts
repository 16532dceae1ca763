/** Groups: the configurations of a grid by one of their axes, what is red first. */
import type { Column } from '@/shared/wire'
import { axesAmong, axesOf } from './axes'

export interface Group {
  /** The value of the axis that its members share; '' for those that have none. */
  value: string
  members: readonly Column[]
  /** How many of them are red. */
  red: number
}

/** From so many configurations on, they are grouped unless the address says otherwise. */
export const MANY = 17

export const UNGROUPED = 'none'

const BY_NAME = new Intl.Collator('en', { numeric: true })

/** The axis to group by: as asked for, else the first one where there are many; undefined: no groups. */
export function axisOf(asked: string | undefined, columns: readonly Column[]): string | undefined {
  if (asked === UNGROUPED) return undefined
  const axes = axesAmong(columns)
  if (asked !== undefined) return axes.find((axis) => axis === asked)
  return columns.length < MANY ? undefined : axes[0]
}

/** One group for each value of the axis; one group of all where there is no axis. */
export function grouped(columns: readonly Column[], axis: string | undefined): Group[] {
  const members = new Map<string, Column[]>()
  for (const column of [...columns].sort(redFirst)) {
    const value = axis === undefined ? '' : (axesOf(column)[axis] ?? '')
    const own = members.get(value)
    if (own === undefined) members.set(value, [column])
    else own.push(column)
  }
  return [...members]
    .map(([value, own]) => ({ value, members: own, red: own.filter(isRed).length }))
    .sort(
      (a, b) => share(b) - share(a) || b.red - a.red || Number(a.value === '') - Number(b.value === '') || named(a, b),
    )
}

function share({ red, members }: Group): number {
  return red / members.length
}

function named(a: Group, b: Group): number {
  return BY_NAME.compare(a.value, b.value)
}

function isRed(column: Column): boolean {
  return column.colour === 'red' && column.state === 'production'
}

function redFirst(a: Column, b: Column): number {
  const rank = (column: Column) => (isRed(column) ? 0 : column.colour === 'red' ? 1 : 2)
  return rank(a) - rank(b) || BY_NAME.compare(a.config, b.config)
}
