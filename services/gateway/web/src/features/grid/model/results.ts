/** Results: what a cell says, as one symbol; and which of several results is the worst. */
import type { Cell } from '@/shared/wire'

export type CellResult =
  'passed' | 'retried' | 'failed' | 'failing' | 'infra' | 'running' | 'queued' | 'cancelled' | 'timed_out' | 'lost'

/** Shown with a colour, so that neither has to be seen alone. */
export const SYMBOL: Record<CellResult, string> = {
  passed: 'O',
  retried: 'F',
  failed: 'X',
  failing: '!',
  infra: 'I',
  running: '?',
  queued: 'Q',
  cancelled: 'C',
  timed_out: 'T',
  lost: 'L',
}

/** The worst first. What runs may still become anything, so it says more than a pass. */
const WORST: readonly CellResult[] = [
  'failed',
  'failing',
  'timed_out',
  'infra',
  'lost',
  'retried',
  'cancelled',
  'running',
  'queued',
  'passed',
]
const RANK = Object.fromEntries(WORST.map((result, at) => [result, at])) as Record<CellResult, number>

export function resultOf(cell: Cell): CellResult {
  if (cell.status === 'succeeded') return cell.bothWays ? 'retried' : 'passed'
  if (cell.status === 'failed') return cell.fault === 'infra' ? 'infra' : 'failed'
  return cell.status === 'running' && cell.failing ? 'failing' : cell.status
}

export interface Worst {
  result: CellResult
  /** How many of the cells have this result. */
  count: number
  /** One of those. */
  cell: Cell
}

/** The worst of some cells; undefined where there is none. */
export function worstOf(cells: Iterable<Cell>): Worst | undefined {
  let worst: Worst | undefined
  for (const cell of cells) {
    const result = resultOf(cell)
    if (worst === undefined || RANK[result] < RANK[worst.result]) worst = { result, count: 1, cell }
    else if (result === worst.result) worst.count += 1
  }
  return worst
}
