/** Metrics: the numbers of a build that are known, and no others. */
import { bytes, count, duration, percent } from '@/shared/format'
import { build as text } from '@/shared/i18n'
import type { Build } from '@/shared/wire'

export interface Metric {
  name: string
  value: string
  tone?: 'bad' | 'warn'
}

/** What to show of a build's numbers, in reading order. */
export function metricsOf(build: Build): Metric[] {
  const { metrics: known } = build
  const metrics: Metric[] = []
  if (known == null) return metrics
  if (known.warnings != null) {
    metrics.push({ name: text.warnings, value: count(known.warnings), tone: known.warnings > 0 ? 'warn' : undefined })
  }
  if (known.testsPassed != null || known.testsFailed != null) {
    const passed = known.testsPassed ?? 0
    const failed = known.testsFailed ?? 0
    const value = text.testsPassed(count(passed), count(passed + failed))
    metrics.push({ name: text.tests, value, tone: failed > 0 ? 'bad' : undefined })
  }
  if (known.cpuMs != null) metrics.push({ name: text.cpu, value: duration(known.cpuMs) })
  if (known.peakRssBytes != null) metrics.push({ name: text.memory, value: bytes(known.peakRssBytes) })
  const lookups = (known.cacheHits ?? 0) + (known.cacheMisses ?? 0)
  if (lookups > 0) metrics.push({ name: text.cache, value: percent((100 * (known.cacheHits ?? 0)) / lookups) })
  if (known.secretsRedacted) metrics.push({ name: text.redacted, value: count(known.secretsRedacted) })
  return metrics
}
