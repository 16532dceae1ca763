/** Viewport: what part of a log is on the screen. Only the reader moves it: any change of the lines keeps their place. */
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

/** Where a reader is: how far the top of the screen is below the top of a line (less than 0: above it). */
export interface Place {
  /** 0: the very top, with anything shown before the first line. */
  line: number
  offsetPx: number
}

export class Viewport {
  readonly rows = new RowMap()
  readonly scroll = new ScrollMap()
  private heightPx = 0
  private follows: boolean
  /** Set by the reader alone, so that what folds, wraps or resizes and then does the reverse ends where it began. */
  private reader: Place
  /** How far the log's end kept the reader's line from its place when more lines came: those move nothing. */
  private keptPx = 0
  private isBarDue = false

  constructor(
    readonly rowPx: number,
    isFollowing: boolean,
    place: Place = { line: 0, offsetPx: 0 },
  ) {
    this.follows = isFollowing
    this.reader = place
  }

  get isFollowing(): boolean {
    return this.follows
  }

  get place(): Place {
    return this.reader
  }

  /** Learns the log's length and the screen's height. */
  measure(lines: number, heightPx: number): void {
    if (lines === this.rows.lines && heightPx === this.heightPx) return
    const isGrowth = heightPx === this.heightPx && this.rows.lines > 0
    this.keptPx = isGrowth ? this.wantedTop() - this.scroll.top : 0
    this.rows.setTotal(lines)
    this.heightPx = heightPx
    this.lay()
  }

  /** Takes what lines turned out to need; true when that moves what is below them. */
  relayout(change: (rows: RowMap) => boolean): boolean {
    const isChanged = change(this.rows)
    if (isChanged) this.lay()
    return isChanged
  }

  /** Takes another way to show the log: folds, wrapping, the width; or, not by the reader, what stands around lines. */
  rearrange(change: (rows: RowMap) => void, isByReader = true): void {
    change(this.rows)
    if (isByReader) this.keptPx = 0
    this.lay()
    this.isBarDue = true
  }

  /**
   * The bar was seen at `barTop`, of the `barEnd` it can reach; true where the reader moved it there.
   *
   * A browser takes a bar back to an end that has come nearer: that moves nobody, and the bar is put where it belongs.
   */
  moved(barTop: number, barEnd: number): boolean {
    const seen = this.scroll.barTop
    if (barTop === seen) return false
    if (barEnd < seen && barTop < seen && barTop >= barEnd - 1) {
      this.scroll.barTop = barTop
      this.isBarDue = true
      return false
    }
    const before = this.scroll.top
    this.scroll.moved(barTop)
    this.stay(this.atTop())
    if (this.scroll.top < before - 1) this.follows = false
    else if (this.scroll.top > before && this.scroll.isAtEnd) this.follows = true
    return true
  }

  /** Brings a line to the middle of the screen; a hidden one is there as soon as it is shown. */
  goTo(line: number): void {
    this.follows = false
    this.stay({ line, offsetPx: -Math.max(0, (this.heightPx - this.rowPx) / 2) })
    this.lay()
    this.isBarDue = true
  }

  /** Shows the end and follows it. */
  goToEnd(): void {
    this.follows = true
    this.lay()
    this.isBarDue = true
  }

  /** Follows no longer, and stays where that is. */
  letGo(): void {
    this.follows = false
    this.stay(this.atTop())
  }

  /** Keeps a line that is in sight where it is on the screen over the next change. */
  hold(line: number): void {
    this.stay({ line, offsetPx: this.scroll.top - this.rows.topOf(line) * this.rowPx })
  }

  /** Where small movements let the bar drift, it is put where it belongs. */
  settle(): void {
    if (Math.abs(this.scroll.bar - this.scroll.barTop) > 1) this.isBarDue = true
  }

  /** Has the bar put where it belongs, if it is not there; `put` answers where it came to be. */
  placeBar(put: (barTop: number) => number): void {
    if (!this.isBarDue) return
    this.isBarDue = false
    this.scroll.barTop = put(this.scroll.bar)
  }

  /** More lines than are ever drawn at once on this screen. */
  get mostDrawn(): number {
    return Math.ceil(this.heightPx / this.rowPx) + 2 * OVERSCAN + 2
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

  private stay(place: Place): void {
    this.reader = place
    this.keptPx = 0
  }

  private atTop(): Place {
    if (this.scroll.top === 0) return { line: 0, offsetPx: 0 }
    const line = this.rows.lineAt(Math.floor(this.scroll.top / this.rowPx))
    return { line, offsetPx: this.scroll.top - this.rows.topOf(line) * this.rowPx }
  }

  /** Where the top of the screen is to be for the reader's place. */
  private wantedTop(): number {
    const { line, offsetPx } = this.reader
    if (line === 0) return 0
    const shown = this.rows.standIn(line)
    const isWithin = offsetPx < this.rows.rowsOf(shown) * this.rowPx
    // A line of many rows that has fewer now: the row at the top is the line's.
    return this.rows.topOf(shown) * this.rowPx + (isWithin ? offsetPx : offsetPx % this.rowPx)
  }

  private lay(): void {
    const { top, heightPx } = this.scroll
    this.scroll.resize(this.rows.rows * this.rowPx, this.heightPx)
    this.scroll.show(this.follows ? this.scroll.end : this.wantedTop() - this.keptPx)
    // Lines that come in below leave the bar alone: it may be in the reader's hand.
    if (this.scroll.top !== top || this.scroll.heightPx < heightPx) this.isBarDue = true
  }
}
