/** Suspects: between which commits each red configuration broke, as far as the commits at hand tell. */
import type { Column, CommitRow } from '@/shared/wire'

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

/** The configurations that each commit is suspect in, by its sha. */
export function suspectIn(ranges: readonly SuspectRange[]): Map<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>()
  for (const { column, suspects } of ranges) {
    for (const sha of suspects) {
      const configs = found.get(sha) ?? new Set()
      found.set(sha, configs.add(column.config))
    }
  }
  return found
}
