/** Row map: which row of the screen each line of a log begins at, without knowing the lines that were never loaded.
 *
 * A line takes one row until its text takes more (wrapping) or something is shown around it (a gap, a heading);
 * hidden ones take none. Lines are numbered from 1, rows from 0.
 */
import type { LineRange } from '@/shared/format/line-range'
import { lowerBound } from './lower-bound'

interface Index {
  /** Lines with extra rows, ascending, and the running sum of their extra rows. */
  lines: number[]
  extras: number[]
  /** Hidden ranges within the log, ascending, and the running sum of their lines. */
  hidden: LineRange[]
  hiddenSums: number[]
}

export class RowMap {
  private total = 0
  /** Extra rows of lines that take more than one. */
  private readonly extra = new Map<number, number>()
  private folds: readonly LineRange[] = []
  /** Made when asked for. */
  private index: Index | undefined

  get lines(): number {
    return this.total
  }

  get rows(): number {
    const { extras, hiddenSums } = this.indexed()
    return this.total - (hiddenSums.at(-1) ?? 0) + (extras.at(-1) ?? 0)
  }

  setTotal(lines: number): void {
    if (this.total === lines) return
    this.total = lines
    if (this.folds.length > 0) this.index = undefined
  }

  /** Sets how many rows a line takes; true when that moves what is below it. */
  setRows(line: number, rows: number): boolean {
    const extra = rows - 1
    if ((this.extra.get(line) ?? 0) === extra) return false
    if (extra === 0) this.extra.delete(line)
    else this.extra.set(line, extra)
    this.index = undefined
    return true
  }

  /** Sets which lines are hidden: ranges in ascending order, that do not touch line 1 or each other. */
  setHidden(ranges: readonly LineRange[]): void {
    this.folds = ranges
    this.index = undefined
  }

  rowsOf(line: number): number {
    return this.isHidden(line) ? 0 : 1 + (this.extra.get(line) ?? 0)
  }

  isHidden(line: number): boolean {
    const { hidden } = this.indexed()
    const range = hidden[upperBound(hidden, line) - 1]
    return range !== undefined && line <= range.last
  }

  /** The lines from `first` to `last` that are shown. */
  shown(first: number, last: number): number[] {
    const { hidden } = this.indexed()
    const lines: number[] = []
    let next = upperBound(hidden, first)
    if (this.isHidden(first)) next -= 1
    for (let line = first; line <= last; line++) {
      const range = hidden[next]
      if (range !== undefined && range.first <= line) {
        line = range.last
        next += 1
      } else lines.push(line)
    }
    return lines
  }

  /** How many lines are shown before this one. */
  shownBefore(line: number): number {
    const { hidden, hiddenSums } = this.indexed()
    const at = upperBound(hidden, line) - 1
    const range = hidden[at]
    if (range === undefined) return line - 1
    const whole = hiddenSums[at] ?? 0
    // Within a hidden range, what is before it and the part of it that comes before.
    return line - 1 - (line > range.last ? whole : whole - (range.last - line + 1))
  }

  /** Forgets every line's rows: the width or the wrapping changed. */
  clear(): void {
    this.extra.clear()
    this.index = undefined
  }

  /** The row a line begins at; a hidden one, where the next one shown does. */
  topOf(line: number): number {
    const { lines, extras } = this.indexed()
    const before = lowerBound(lines, line)
    return this.shownBefore(line) + (before === 0 ? 0 : (extras[before - 1] ?? 0))
  }

  /** The shown line that a row belongs to, clamped to the lines there are (1 of an empty log). */
  lineAt(row: number): number {
    let low = 1
    let high = Math.max(1, this.total)
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.topOf(middle) <= row) low = middle
      else high = middle - 1
    }
    // Hidden up to the log's end: the line that stands for them.
    return this.standIn(low)
  }

  /** The line itself, or, where it is hidden, the one before those hidden with it: its row holds their heading. */
  standIn(line: number): number {
    const { hidden } = this.indexed()
    const range = hidden[upperBound(hidden, line) - 1]
    return range !== undefined && line <= range.last ? range.first - 1 : line
  }

  private indexed(): Index {
    if (this.index === undefined) {
      const hidden = this.folds
        .map(({ first, last }) => ({ first, last: Math.min(last, this.total) }))
        .filter(({ first, last }) => first <= last)
      const lines = [...this.extra.keys()].filter((line) => !isWithin(hidden, line)).sort((a, b) => a - b)
      this.index = {
        lines,
        extras: runningSums(lines.map((line) => this.extra.get(line) ?? 0)),
        hidden,
        hiddenSums: runningSums(hidden.map(({ first, last }) => last - first + 1)),
      }
    }
    return this.index
  }
}

function isWithin(ranges: readonly LineRange[], line: number): boolean {
  const range = ranges[upperBound(ranges, line) - 1]
  return range !== undefined && line <= range.last
}

function runningSums(numbers: readonly number[]): number[] {
  let sum = 0
  return numbers.map((number) => (sum += number))
}

/** How many of the ascending ranges begin at or before a line. */
function upperBound(ranges: readonly LineRange[], line: number): number {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle]?.first ?? 0) <= line) low = middle + 1
    else high = middle
  }
  return low
}
