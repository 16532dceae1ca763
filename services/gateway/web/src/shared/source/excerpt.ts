/** Excerpt: which lines of a log explain a failure: its own, and some around them, never more than a screen holds. */

interface Place {
  firstLine: number
  lastLine?: number | null
}

export interface Excerpt {
  /** The first line shown, and how many. */
  first: number
  count: number
  /** Those of the failure. */
  from: number
  to: number
}

const AROUND = 3
const MOST = 18

export function excerptOf({ firstLine, lastLine }: Place, around = AROUND): Excerpt {
  const first = Math.max(1, firstLine - around)
  const last = Math.max(lastLine ?? firstLine, firstLine)
  // What follows the first line says more than what follows the last: notes, and then the next failure.
  const count = Math.min(MOST, last + around - first + 1)
  return { first, count, from: firstLine, to: last }
}
