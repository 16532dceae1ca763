/** Row store: the newest rows of builds, for React to watch; pushed rows are shown once a frame at most. */
import type { Build } from '@/shared/wire'
import { NO_ROWS, withRows, type Rows } from './rows'

export class RowStore {
  private rows: Rows = NO_ROWS
  private waiting: Build[] = []
  private isScheduled = false
  private readonly watchers = new Set<() => void>()

  constructor(private readonly schedule: (act: () => void) => void) {}

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  readonly snapshot = (): Rows => this.rows

  push(build: Build): void {
    this.waiting.push(build)
    if (this.isScheduled) return
    this.isScheduled = true
    this.schedule(() => this.flush())
  }

  clear(): void {
    this.waiting = []
    this.rows = NO_ROWS
  }

  private flush(): void {
    this.isScheduled = false
    const rows = withRows(this.rows, this.waiting)
    this.waiting = []
    if (rows === this.rows) return
    this.rows = rows
    for (const watcher of this.watchers) watcher()
  }
}
