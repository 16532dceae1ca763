/** Viewport: what part of a log is on the screen. Keeps the place while lines come in above, below and at the end. */
import { RowMap } from './row-map'
import { ScrollMap } from './scroll-map'

/** Rows drawn beyond what is seen, so that a small movement shows text at once. */
const OVERSCAN = 12

export interface Visible {
  first: number
  last: number
  /** Where the first line goes, px from the top of the screen. */
  offsetPx: number
}

export class Viewport {
  readonly rows = new RowMap()
  readonly scroll = new ScrollMap()
  isFollowing: boolean
  private heightPx = 0

  constructor(
    readonly rowPx: number,
    isFollowing: boolean,
  ) {
    this.isFollowing = isFollowing
  }

  /** Learns the log's length and the screen's height; answers where the bar belongs when that moved it. */
  measure(lines: number, heightPx: number): number | undefined {
    const anchor = this.anchor()
    this.rows.setTotal(lines)
    this.heightPx = heightPx
    return this.laidOut(anchor)
  }

  /** Takes what changes the rows of lines, keeping the line at the top where it is. */
  relayout(change: (rows: RowMap) => boolean): number | undefined {
    const anchor = this.anchor()
    return change(this.rows) ? this.laidOut(anchor) : undefined
  }

  /** The reader moved the bar; following ends by moving up and begins at the very end. */
  moved(barTop: number): void {
    const before = this.scroll.top
    this.scroll.moved(barTop)
    if (this.scroll.top < before - 1) this.isFollowing = false
    if (this.scroll.isAtEnd) this.isFollowing = true
  }

  /** Brings a line to the middle of the screen; answers where the bar belongs. */
  goTo(line: number): number {
    this.isFollowing = false
    const middle = Math.max(0, (this.heightPx - this.rowPx) / 2)
    return this.scroll.show(this.rows.topOf(line) * this.rowPx - middle)
  }

  goToEnd(): number {
    this.isFollowing = true
    return this.scroll.show(this.scroll.end)
  }

  visible(): Visible {
    const topRow = Math.floor(this.scroll.top / this.rowPx)
    const first = this.rows.lineAt(Math.max(0, topRow - OVERSCAN))
    const last = this.rows.lineAt(topRow + Math.ceil(this.heightPx / this.rowPx) + OVERSCAN)
    // What is shown before the first line is drawn with it.
    const firstRow = first === 1 ? 0 : this.rows.topOf(first)
    return { first, last, offsetPx: firstRow * this.rowPx - this.scroll.top }
  }

  /** What part of the whole is in sight, on a strip of this height. */
  inSight(stripPx: number): { topPx: number; sizePx: number } {
    const whole = this.rows.rows * this.rowPx
    if (whole <= this.heightPx) return { topPx: 0, sizePx: 0 }
    return { topPx: (this.scroll.top / whole) * stripPx, sizePx: (this.heightPx / whole) * stripPx }
  }

  /** Where a line is, from 0 to 1 of a strip that stands for the whole, or for the screen where that is higher. */
  placeOf(line: number): number {
    return (this.rows.topOf(Math.min(line, this.rows.lines + 1)) * this.rowPx) / this.stripPx
  }

  /** The line at a place of that strip. */
  lineOf(place: number): number {
    return this.rows.lineAt(Math.floor((place * this.stripPx) / this.rowPx))
  }

  /** The line in the middle of the screen: where a reader is. */
  middle(): number {
    return this.rows.lineAt(Math.floor((this.scroll.top + this.heightPx / 2) / this.rowPx))
  }

  private get stripPx(): number {
    return Math.max(1, this.rows.rows * this.rowPx, this.heightPx)
  }

  private anchor(): { line: number; offsetPx: number } {
    const line = this.rows.lineAt(Math.floor(this.scroll.top / this.rowPx))
    return { line, offsetPx: this.scroll.top - this.rows.topOf(line) * this.rowPx }
  }

  private laidOut(anchor: { line: number; offsetPx: number }): number | undefined {
    const before = this.scroll.top
    this.scroll.resize(this.rows.rows * this.rowPx, this.heightPx)
    if (this.isFollowing) return this.scroll.show(this.scroll.end)
    const top = this.rows.topOf(anchor.line) * this.rowPx + anchor.offsetPx
    return top === before ? undefined : this.scroll.show(top)
  }
}
