/** Sections: the part of a log each phase of a build printed, and which of them are folded. */
import type { LineRange } from '@/shared/format/line-range'
import type { PhaseSpan } from '@/shared/wire'

export interface Section {
  phase: PhaseSpan['phase']
  first: number
  /** Infinity while the phase runs: its end is the log's. */
  last: number
  tookMs: number | undefined
}

/** The sections of a log, in order; a phase that printed nothing has none. */
export function sectionsOf(phases: readonly PhaseSpan[]): Section[] {
  const begun = phases
    .map((span, at) => ({ span, endedAt: span.endedAt ?? phases[at + 1]?.startedAt }))
    .filter(({ span }) => (span.firstLine ?? 0) > 0)
    .sort((a, b) => (a.span.firstLine ?? 0) - (b.span.firstLine ?? 0))
  const sections: Section[] = []
  begun.forEach(({ span, endedAt }, at) => {
    const first = span.firstLine ?? 1
    const last = (begun[at + 1]?.span.firstLine ?? Infinity) - 1
    if (last < first) return
    const tookMs = endedAt == null ? undefined : Math.max(0, endedAt - span.startedAt)
    sections.push({ phase: span.phase, first, last, tookMs })
  })
  return sections
}

/** The lines that folded sections hide: all but the first, whose row holds the section's heading. */
export function hiddenBy(sections: readonly Section[], folded: ReadonlySet<number>): LineRange[] {
  return sections
    .filter(({ first, last }) => folded.has(first) && last > first)
    .map(({ first, last }) => ({ first: first + 1, last }))
}

/** The folded section that hides a line. */
export function hiderOf(sections: readonly Section[], folded: ReadonlySet<number>, line: number): Section | undefined {
  return sections.find(({ first, last }) => folded.has(first) && first <= line && line <= last)
}
