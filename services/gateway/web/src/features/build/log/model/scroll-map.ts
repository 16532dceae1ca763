/** Scroll map: lets a scroll bar of limited height stand for a log of any height.
 *
 * Browsers cap an element's height (Chromium near 33 million px, Firefox near 17): 2 million lines exceed it. Within the
 * cap the two heights are equal. Above it, small movements (wheel, keys) move the text by as much as the bar, and
 * jumps (dragging the bar) move it by proportion.
 */
export const MAX_HEIGHT_PX = 8_000_000

export class ScrollMap {
  /** Top of what is shown, in px of the whole text. */
  top = 0
  /** Where the bar was last seen or put. */
  barTop = 0
  private contentPx = 0
  private viewportPx = 0

  /** The height of the scrolled element. */
  get heightPx(): number {
    return Math.min(this.contentPx, MAX_HEIGHT_PX)
  }

  /** The furthest `top`. */
  get end(): number {
    return Math.max(0, this.contentPx - this.viewportPx)
  }

  get isAtEnd(): boolean {
    // Half a line of slack: fractional pixels and zoom keep a bar from reaching its very end.
    return this.top >= this.end - 8
  }

  resize(contentPx: number, viewportPx: number): void {
    this.contentPx = contentPx
    this.viewportPx = viewportPx
    this.top = Math.min(this.top, this.end)
  }

  /** The bar was moved to `barTop` by the reader. */
  moved(barTop: number): void {
    const distance = barTop - this.barTop
    this.barTop = barTop
    if (!this.isScaled) this.top = barTop
    else if (barTop <= 0) this.top = 0
    else if (barTop >= this.barEnd - 1) this.top = this.end
    else if (Math.abs(distance) < this.viewportPx * 1.5) this.top += distance
    else this.top = barTop / this.scale
    this.top = Math.min(this.end, Math.max(0, this.top))
  }

  show(top: number): void {
    this.top = Math.min(this.end, Math.max(0, top))
  }

  /** Where the bar belongs for what is shown; small movements let it drift. */
  get bar(): number {
    return this.isScaled ? this.top * this.scale : this.top
  }

  private get isScaled(): boolean {
    return this.contentPx > MAX_HEIGHT_PX
  }

  private get barEnd(): number {
    return Math.max(0, this.heightPx - this.viewportPx)
  }

  private get scale(): number {
    return this.end === 0 ? 1 : this.barEnd / this.end
  }
}
