/** Pages: the part of a log that is in memory, bounded, for a log of any length. */
import { hasEscapes, parseAnsi, PLAIN, type AnsiStyle } from '@/shared/format/ansi'
import type { LogPage, Stream } from '@/shared/wire'

export const PAGE_LINES = 500
export const MAX_PAGES = 40

export interface LogLine {
  text: string
  stampedAt?: number
  stream?: Stream
  /** The style the line begins with: colours may span lines. */
  before: AnsiStyle
}

interface Page {
  texts: string[]
  times: (number | undefined)[]
  streams: (Stream | undefined)[]
  /** The style each line begins with, as far as worked out. */
  befores: AnsiStyle[]
}

/** Lines in memory by number (from 1); the least recently used pages are dropped first. */
export class Pages {
  private readonly pages = new Map<number, Page>()

  get size(): number {
    return this.pages.size
  }

  /** The line, or undefined when it is not in memory. */
  line(number: number): LogLine | undefined {
    const page = this.pages.get(pageOf(number))
    const at = (number - 1) % PAGE_LINES
    const text = page?.texts[at]
    if (page === undefined || text === undefined) return undefined
    return { text, stampedAt: page.times[at], stream: page.streams[at], before: styleBefore(page, at) }
  }

  /** Marks a page as in use. */
  touch(index: number): void {
    const page = this.pages.get(index)
    if (page === undefined) return
    this.pages.delete(index)
    this.pages.set(index, page)
  }

  /** Whether a page lacks lines of a log that has `total`. */
  lacks(index: number, total: number): boolean {
    const expected = Math.min(PAGE_LINES, total - index * PAGE_LINES)
    return (this.pages.get(index)?.texts.length ?? 0) < expected
  }

  /** Stores a page as read; one that knows less than memory does changes nothing. */
  put(index: number, read: LogPage): void {
    const known = this.pages.get(index)?.texts ?? []
    if (read.lines.length < known.length) return
    const last = known.length - 1
    if (last >= 0 && (read.lines[last] ?? '').length < (known[last] ?? '').length) return
    const lines = read.lines.slice(0, PAGE_LINES)
    this.pages.delete(index)
    this.pages.set(index, {
      texts: lines,
      times: lines.map((_, at) => heldOn(read.timesMs, at)),
      streams: lines.map((_, at) => heldOn(read.streams, at)),
      befores: [],
    })
    this.trim()
  }

  /** Adds line `number`; false when the lines before it on its page are not in memory. */
  append(number: number, text: string, stampedAt: number | undefined, stream: Stream | undefined): boolean {
    const index = pageOf(number)
    const at = (number - 1) % PAGE_LINES
    let page = this.pages.get(index)
    if (page === undefined && at === 0) {
      page = { texts: [], times: [], streams: [], befores: [] }
      this.pages.set(index, page)
      this.trim()
    }
    if (page === undefined || page.texts.length !== at) return false
    page.texts.push(text)
    page.times.push(stampedAt)
    page.streams.push(stream)
    return true
  }

  /** Goes on with line `number`; false when it is not in memory. */
  extend(number: number, text: string): boolean {
    const page = this.pages.get(pageOf(number))
    const at = (number - 1) % PAGE_LINES
    if (page === undefined || page.texts[at] === undefined) return false
    page.texts[at] += text
    page.befores.length = Math.min(page.befores.length, at + 1)
    return true
  }

  /** Forgets what lies at and after line `number`: it may have changed. */
  forgetFrom(number: number): void {
    for (const index of [...this.pages.keys()]) {
      if (index >= pageOf(number)) this.pages.delete(index)
    }
  }

  private trim(): void {
    for (const index of this.pages.keys()) {
      if (this.pages.size <= MAX_PAGES) return
      this.pages.delete(index)
    }
  }
}

/** The page that holds a line. */
export function pageOf(line: number): number {
  return Math.floor((line - 1) / PAGE_LINES)
}

/** The value for element `at` of a list whose last value holds on. */
export function heldOn<T>(values: readonly T[], at: number): T | undefined {
  return values[Math.min(at, values.length - 1)]
}

// Colours that cross a page's border are lost: a page is read alone.
function styleBefore(page: Page, at: number): AnsiStyle {
  if (page.befores.length === 0) page.befores.push(PLAIN)
  for (let next = page.befores.length; next <= at; next++) {
    const text = page.texts[next - 1] ?? ''
    const before = page.befores[next - 1] ?? PLAIN
    page.befores.push(hasEscapes(text) ? parseAnsi(text, before).after : before)
  }
  return page.befores[at] ?? PLAIN
}
