/** Freshness: history is read again soon after a build starts or ends, but never once per build of a wave of them. */
import type { QueryClient } from '@tanstack/react-query'
import { HISTORY } from '@/shared/api/queries/history'
import { isFinal, type Build } from '@/shared/wire'

/** History judges a build a moment after it is shown, and a wave of ends is read once. */
const SETTLE_MS = 1500

export class HistoryFreshness {
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly running = new Set<string>()

  constructor(private readonly queries: QueryClient) {}

  noticed(build: Build): void {
    if (isFinal(build.status)) this.running.delete(build.id)
    else if (this.running.has(build.id)) return
    else this.running.add(build.id)
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.queries.invalidateQueries({ queryKey: [HISTORY] })
    }, SETTLE_MS)
  }
}
