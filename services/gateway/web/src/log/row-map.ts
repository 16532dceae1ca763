/** Row map: which row of the screen each line of a log begins at, without knowing the lines that were never loaded.
 *
 * A line takes one row until its text says otherwise (wrapping) or something is shown after it (a gap).
 * Lines are numbered from 1, rows from 0.
 */
export class RowMap {
  private total = 0
  /** Extra rows of lines that take more than one. */
  private readonly extra = new Map<number, number>()
  /** Lines with extra rows, ascending, and the running sum of their extra rows; made when asked for. */
  private index: { lines: number[]; sums: number[] } | undefined

  get lines(): number {
    return this.total
  }

  get rows(): number {
    const { sums } = this.indexed()
    return this.total + (sums.at(-1) ?? 0)
  }

  setTotal(lines: number): void {
    this.total = lines
  }

  /** Says how many rows a line takes; true when that moves what is below it. */
  setRows(line: number, rows: number): boolean {
    const extra = rows - 1
    if ((this.extra.get(line) ?? 0) === extra) return false
    if (extra === 0) this.extra.delete(line)
    else this.extra.set(line, extra)
    this.index = undefined
    return true
  }

  rowsOf(line: number): number {
    return 1 + (this.extra.get(line) ?? 0)
  }

  /** Forgets every line's rows: the width or the wrapping changed. */
  clear(): void {
    this.extra.clear()
    this.index = undefined
  }

  /** The row a line begins at. */
  topOf(line: number): number {
    const { lines, sums } = this.indexed()
    const before = lowerBound(lines, line)
    return line - 1 + (before === 0 ? 0 : (sums[before - 1] ?? 0))
  }

  /** The line that a row shows, clamped to the lines there are (1 of an empty log). */
  lineAt(row: number): number {
    let low = 1
    let high = Math.max(1, this.total)
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.topOf(middle) <= row) low = middle
      else high = middle - 1
    }
    return low
  }

  private indexed(): { lines: number[]; sums: number[] } {
    if (this.index === undefined) {
      const lines = [...this.extra.keys()].sort((a, b) => a - b)
      let sum = 0
      const sums = lines.map((line) => (sum += this.extra.get(line) ?? 0))
      this.index = { lines, sums }
    }
    return this.index
  }
}

/** How many of the ascending numbers are smaller than `value`. */
function lowerBound(numbers: number[], value: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((numbers[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}
