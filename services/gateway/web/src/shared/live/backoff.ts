/** Back-off: how long to wait before the next try, spread so that many pages do not come back at once. */

const FIRST_WINDOW_MS = 500
const LAST_WINDOW_MS = 15_000

/** A wait within a window that doubles with every failed try; `random` is in [0, 1). */
export function backoffMs(failures: number, random: number): number {
  const window = Math.min(LAST_WINDOW_MS, FIRST_WINDOW_MS * 2 ** Math.max(0, failures - 1))
  return Math.round(window * (0.2 + 0.8 * random))
}
