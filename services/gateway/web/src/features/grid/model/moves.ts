/** Moves: where the arrow keys, Home, End and the page keys lead in a table. */

export interface Place {
  row: number
  column: number
}

const PAGE_ROWS = 10

/** The place a key leads to, within the table; undefined where the key moves nothing. */
export function moved(
  { row, column }: Place,
  { key, ctrlKey }: { key: string; ctrlKey: boolean },
  size: { rows: number; columns: number },
): Place | undefined {
  const to: Record<string, Place> = {
    ArrowUp: { row: row - 1, column },
    ArrowDown: { row: row + 1, column },
    ArrowLeft: { row, column: column - 1 },
    ArrowRight: { row, column: column + 1 },
    PageUp: { row: row - PAGE_ROWS, column },
    PageDown: { row: row + PAGE_ROWS, column },
    Home: { row: ctrlKey ? 0 : row, column: 0 },
    End: { row: ctrlKey ? size.rows - 1 : row, column: size.columns - 1 },
  }
  const next = to[key]
  return next && { row: within(next.row, size.rows), column: within(next.column, size.columns) }
}

function within(at: number, count: number): number {
  return Math.max(0, Math.min(at, count - 1))
}
