/** Freshness: how often a tab reads again what is not pushed. */
import { isFinal, type Build } from '@/shared/wire'

const LIVE_MS = 5000

/** Ms between two reads; false where nothing changes any more. */
export function rereadEvery(build: Build): number | false {
  return isFinal(build.status) ? false : LIVE_MS
}
