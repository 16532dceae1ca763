/** Table: where the columns of a grid stand, and which of its rows and columns are on the screen. Sizes in pixels. */
import type { Column } from '@/shared/wire'
import { withoutValue } from './axes'
import type { Group } from './groups'
import { cut } from './labels'

export const ROW_HEIGHT = 28
export const CELL_WIDTH = 24
export const GROUP_WIDTH = 48

/** Columns are drawn in blocks: scrolling sideways adds a block, and leaves the others alone. */
const BLOCK = 8
/** As rows are in steps of these. */
const ROW_STEP = 4

/** So much is drawn on each side of the screen, for whoever scrolls. */
export const SPARE_ROWS = 4
export const SPARE_BLOCKS = 1

/** One column on the screen: a configuration, or a folded group. */
export interface TableColumn {
  key: string
  /** What stands above it. */
  label: string
  group: Group
  /** Undefined: the whole group. */
  column: Column | undefined
  /** The first one of an unfolded group. */
  isFirst: boolean
}

export interface Block {
  at: number
  left: number
  width: number
  columns: readonly TableColumn[]
}

export interface Span {
  from: number
  to: number
}

/** The columns, left to right: a folded group is one. */
export function columnsOf(groups: readonly Group[], isOpen: (group: Group) => boolean): TableColumn[] {
  return groups.flatMap((group): TableColumn[] => {
    if (!isOpen(group)) {
      return [{ key: `group ${group.value}`, label: group.value, group, column: undefined, isFirst: false }]
    }
    const labels = labelsOf(group)
    return group.members.map((column, at) => ({
      key: column.config,
      label: labels[at] ?? column.config,
      group,
      column,
      isFirst: at === 0,
    }))
  })
}

export function widthOf({ column }: TableColumn): number {
  return column === undefined ? GROUP_WIDTH : CELL_WIDTH
}

export function blocksOf(columns: readonly TableColumn[]): Block[] {
  const blocks: Block[] = []
  let left = 0
  for (let at = 0; at < columns.length; at += BLOCK) {
    const own = columns.slice(at, at + BLOCK)
    const width = own.reduce((sum, column) => sum + widthOf(column), 0)
    blocks.push({ at, left, width, columns: own })
    left += width
  }
  return blocks
}

/** The blocks that are on a screen which begins at `left` and is `width` wide, and `spare` more on each side. */
export function blocksOn(blocks: readonly Block[], left: number, width: number, spare: number): Span {
  const first = blocks.findIndex((block) => block.left + block.width > left)
  if (first === -1) return { from: 0, to: Math.min(1, blocks.length) }
  const after = blocks.findIndex((block) => block.left >= left + width)
  return {
    from: Math.max(0, first - spare),
    to: Math.min(blocks.length, (after === -1 ? blocks.length : after) + spare),
  }
}

/** The rows that are on a screen, and `spare` more on each side; in steps, so that not every pixel of a scroll changes them. */
export function rowsOn(count: number, top: number, height: number, spare: number): Span {
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - spare)
  const from = first - (first % ROW_STEP)
  const after = Math.ceil((top + height) / ROW_HEIGHT) + spare
  return { from: Math.min(count, from), to: Math.min(count, after + ROW_STEP - 1 - ((after - 1) % ROW_STEP)) }
}

const CHARACTER = 7
const FOLDED_TOOLS = 46
const GROUP_NAME = 28
const HEAD_LEAST = 70

/** How high the names stand that are written upright. */
export function headHeight(columns: readonly TableColumn[]): number {
  const heights = columns.map(({ label, column, group }) => {
    const written = CHARACTER * (cut(label).length + (column !== undefined && column.state !== 'production' ? 10 : 0))
    const beside = column === undefined ? FOLDED_TOOLS : group.value === '' ? 0 : GROUP_NAME
    return written + beside + 14
  })
  return Math.max(HEAD_LEAST, ...heights)
}

/** Where a column begins. */
export function leftOf(columns: readonly TableColumn[], at: number): number {
  return columns.slice(0, at).reduce((sum, column) => sum + widthOf(column), 0)
}

/** Names within a group, without what the group's own name says, as long as that keeps them apart. */
function labelsOf({ value, members }: Group): string[] {
  const short = members.map(({ config }) => (value === '' ? config : withoutValue(config, value)))
  return new Set(short).size === short.length ? short : members.map(({ config }) => config)
}
