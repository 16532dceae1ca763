/** Log store: one build's log as far as this page holds it; reads ranges when asked, takes pushed lines as they come. */
import type { LogAppended, LogPage } from '@/shared/wire'
import { advance, stepOf, type Cursor } from './cursor'
import { heldOn, PAGE_LINES, pageOf, Pages, type LogLine } from './pages'

/** Reads `count` lines from `first`. */
export type ReadLog = (first: number, count: number, signal: AbortSignal) => Promise<LogPage>

const READS_AT_ONCE = 3
const RETRY_MS = 1500
/** A doubtful tail (see cursor) is read again at most this often. */
const REVALIDATE_MS = 2000

export class LogStore {
  private readonly pages = new Pages()
  private cursor: Cursor = { seq: 0, total: 0 }
  private readonly reads = new Map<number, AbortController>()
  private wanted: number[] = []
  private version = 0
  private hasOpened = false
  private isScheduled = false
  private doubt: ReturnType<typeof setTimeout> | undefined
  private failed: unknown
  private readonly watchers = new Set<() => void>()

  constructor(
    private readonly read: ReadLog,
    private readonly schedule: (act: () => void) => void,
    /** The line a reader looks at first: its page also carries the length of the log. */
    private readonly opensAt = 1,
  ) {}

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  /** A number that changes with the store's contents, at most once a frame. */
  readonly snapshot = (): number => this.version

  get total(): number {
    return this.cursor.total
  }

  get seq(): number {
    return this.cursor.seq
  }

  /** False until the first answer: an empty log and an unread one look different. */
  get isOpen(): boolean {
    return this.hasOpened
  }

  /** Why the last read failed, until one succeeds. */
  get error(): unknown {
    return this.failed
  }

  line(number: number): LogLine | undefined {
    return this.pages.line(number)
  }

  /** Sees to it that these lines are in memory, and gives up reading others. */
  want(firstLine: number, lastLine: number): void {
    this.wanted = []
    for (let page = pageOf(Math.max(1, firstLine)); page <= pageOf(Math.max(1, lastLine)); page++) {
      this.pages.touch(page)
      this.wanted.push(page)
    }
    for (const [page, read] of this.reads) if (!this.wanted.includes(page)) read.abort()
    this.readMissing()
  }

  /** Learns how long the log is now, and reads its tail again: after a cut or an overflow. */
  async resync(): Promise<void> {
    await this.readTail(this.hasOpened ? this.cursor.total : this.opensAt)
    this.hasOpened = true
    this.changed()
    this.readMissing()
  }

  /** Takes pushed lines. */
  apply(frame: LogAppended): void {
    const step = stepOf(this.cursor, frame)
    if (step.do === 'drop') return
    if (step.do === 'reread') {
      this.pages.forgetFrom(Math.max(1, step.from))
      this.abortFrom(step.from)
    } else {
      const before = this.cursor.total
      this.append(frame, step.skip)
      if (!step.isCertain) this.revalidate(Math.max(1, before))
    }
    this.cursor = step.cursor
    this.changed()
    this.readMissing()
  }

  /** Takes what the build's row reports about its log. */
  follow(row: { asOfSeq: number; logLines: number }): void {
    this.cursor = advance(this.cursor, row)
  }

  close(): void {
    clearTimeout(this.doubt)
    for (const read of this.reads.values()) read.abort()
  }

  private append(frame: LogAppended, skip: number): void {
    frame.lines.forEach((text, at) => {
      if (at < skip) return
      const number = frame.firstLine + at
      const isRest = at === 0 && frame.continues === true
      const isHeld = isRest
        ? this.pages.extend(number, text)
        : this.pages.append(number, text, heldOn(frame.timesMs, at), heldOn(frame.streams, at))
      // A page on its way here was perhaps read before this line was whole: its answer must not count.
      if (isRest && !isHeld) this.abortFrom(number)
    })
  }

  private readMissing(): void {
    for (const page of this.wanted) {
      if (this.reads.size >= READS_AT_ONCE) return
      if (!this.reads.has(page) && this.pages.lacks(page, this.cursor.total)) void this.readPage(page)
    }
  }

  private async readPage(page: number): Promise<void> {
    const abort = new AbortController()
    this.reads.set(page, abort)
    try {
      const answer = await this.read(page * PAGE_LINES + 1, PAGE_LINES, abort.signal)
      if (abort.signal.aborted) return
      this.failed = undefined
      this.take(page, answer)
    } catch (error) {
      if (abort.signal.aborted) return
      this.failed = error
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    } finally {
      if (this.reads.get(page) === abort) this.reads.delete(page)
      this.changed()
      this.readMissing()
    }
  }

  private abortFrom(line: number): void {
    for (const [page, read] of this.reads) {
      if (page < pageOf(line)) continue
      read.abort()
      this.reads.delete(page)
    }
  }

  /** Reads the page of a line again, soon: a piece of that line may have been missed. */
  private revalidate(line: number): void {
    if (this.doubt !== undefined) return
    this.doubt = setTimeout(() => {
      this.doubt = undefined
      void this.readTail(line)
        .catch((error: unknown) => (this.failed = error))
        .then(() => this.changed())
    }, REVALIDATE_MS)
  }

  private async readTail(line: number): Promise<void> {
    const page = pageOf(Math.max(1, line))
    this.take(page, await this.read(page * PAGE_LINES + 1, PAGE_LINES, new AbortController().signal))
  }

  private take(page: number, answer: LogPage): void {
    this.failed = undefined
    this.pages.put(page, answer)
    if (answer.asOfSeq <= this.cursor.seq) return
    // All lines before the tail are for ever; only the last one known may have gone on since.
    const tail = this.cursor.total
    if (tail > 0 && pageOf(tail) !== page) this.revalidate(tail)
    this.cursor = { seq: answer.asOfSeq, total: Math.max(this.cursor.total, answer.total) }
  }

  private changed(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    this.schedule(() => {
      this.isScheduled = false
      this.version += 1
      for (const watcher of this.watchers) watcher()
    })
  }
}
