/** Marks: the lines of a log known to be errors or warnings, found by jumping and drawn beside the bar. */
import { lowerBound } from './lower-bound'
import type { Severity } from './severity'

/** More marks than rows of any screen show nothing more. */
const MAX_MARKS = 50_000

export class Marks {
  /** Ascending line numbers by severity. */
  private readonly lines: Record<Severity, number[]> = { error: [], warning: [] }
  /** Lines from here on were not searched for all there is. */
  readonly knownUpTo: Record<Severity, number> = { error: 1, warning: 1 }
  /** Grows when a mark is added. */
  version = 0

  of(severity: Severity): readonly number[] {
    return this.lines[severity]
  }

  add(severity: Severity, line: number): void {
    const lines = this.lines[severity]
    const at = lowerBound(lines, line)
    if (lines[at] === line || lines.length >= MAX_MARKS) return
    lines.splice(at, 0, line)
    this.version += 1
  }

  /** Which mark, from 1, a line is; 0 where it is none. */
  placeOf(severity: Severity, line: number): number {
    const at = lowerBound(this.lines[severity], line)
    return this.lines[severity][at] === line ? at + 1 : 0
  }

  /** The nearest mark after (1) or before (-1) a line, if there is one. */
  next(severity: Severity, line: number, direction: 1 | -1): number | undefined {
    const lines = this.lines[severity]
    return direction === 1 ? lines[lowerBound(lines, line + 1)] : lines[lowerBound(lines, line) - 1]
  }
}

/**
 * Which rows of a strip are marked: one value a pixel, an error hides a warning.
 * `placeOf` gives where in the log a line stands, from 0 to 1.
 */
export function stripOf(marks: Marks, heightPx: number, placeOf: (line: number) => number): (Severity | undefined)[] {
  const strip = new Array<Severity | undefined>(heightPx)
  for (const severity of ['warning', 'error'] as const) {
    for (const line of marks.of(severity)) {
      strip[Math.min(heightPx - 1, Math.floor(placeOf(line) * heightPx))] = severity
    }
  }
  return strip
}
