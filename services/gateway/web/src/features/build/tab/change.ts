/** Change: how much slower or faster something became, where that is more than noise. */
import { percent } from '@/shared/format'

export interface Change {
  text: string
  tone: 'bad' | 'good' | undefined
}

/** Below either of these a difference of times is noise. */
const NOISE_SHARE = 0.1
const NOISE_MS = 500

/** How a time compares with the one before; undefined where that is not known. */
export function changeOf(ms: number, beforeMs: number | null | undefined): Change | undefined {
  if (beforeMs == null || beforeMs === 0) return undefined
  const difference = ms - beforeMs
  const share = Math.abs(difference) / beforeMs
  const isNoise = share < NOISE_SHARE || Math.abs(difference) < NOISE_MS
  const sign = difference > 0 ? '+' : difference < 0 ? '−' : '±'
  return { text: `${sign}${percent(100 * share)}`, tone: isNoise ? undefined : difference > 0 ? 'bad' : 'good' }
}
