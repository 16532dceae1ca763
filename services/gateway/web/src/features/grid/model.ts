/** Grid model: the result of a cell as one symbol, which columns are shown, which commits are suspect. */
import type { Cell, Column, CommitRow } from '@/shared/wire'

export type CellResult =
  'passed' | 'retried' | 'failed' | 'infra' | 'running' | 'queued' | 'cancelled' | 'timed_out' | 'lost'

/** Shown with a colour, so that neither has to be seen alone. */
export const SYMBOL: Record<CellResult, string> = {
  passed: 'O',
  retried: 'F',
  failed: 'X',
  infra: 'I',
  running: '?',
  queued: 'Q',
  cancelled: 'C',
  timed_out: 'T',
  lost: 'L',
}

export function resultOf(cell: Cell): CellResult {
  if (cell.status === 'succeeded') return cell.bothWays ? 'retried' : 'passed'
  if (cell.status === 'failed') return cell.fault === 'infra' ? 'infra' : 'failed'
  return cell.status
}

export interface SuspectRange {
  column: Column
  /** Commits after the last green one, up to and with the first red one, newest first; none when it is not on the page. */
  suspects: readonly string[]
  /** The last green commit was found, so no older one is suspect. */
  isWhole: boolean
}

/** The suspect range of each red column, by the rows known so far (newest first). */
export function suspectRanges(columns: readonly Column[], rows: readonly CommitRow[]): SuspectRange[] {
  const shas = rows.map((row) => row.info.sha)
  return columns
    .filter((column) => column.colour === 'red')
    .map((column) => {
      const first = column.firstRed == null ? -1 : shas.indexOf(column.firstRed)
      if (first === -1) return { column, suspects: [], isWhole: false }
      const green = column.lastGreen == null ? -1 : shas.indexOf(column.lastGreen, first)
      return { column, suspects: shas.slice(first, green === -1 ? undefined : green), isWhole: green !== -1 }
    })
}

/** Columns as filtered by name; hiding green leaves those that are red, or show anything but a pass. */
export function shownColumns(
  columns: readonly Column[],
  rows: readonly CommitRow[],
  text: string,
  isGreenHidden: boolean,
): Column[] {
  const wanted = columns.filter((column) => column.config.toLowerCase().includes(text.trim().toLowerCase()))
  if (!isGreenHidden) return wanted
  const colourful = new Set(
    rows.flatMap((row) => (row.cells ?? []).filter((cell) => resultOf(cell) !== 'passed').map((cell) => cell.config)),
  )
  return wanted.filter((column) => column.colour === 'red' || colourful.has(column.config))
}
