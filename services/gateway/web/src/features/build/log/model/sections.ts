/** Sections: the part of a log that each phase of a build, or each step of its CI, printed, and which are folded. */
import type { LineRange } from '@/shared/format/line-range'
import type { BuildDetail, PhaseSpan, Section as SourceSection } from '@/shared/wire'

/** A step that printed nothing: it has no line of its own, and is named by the section behind it. */
export interface SilentStep {
  name: string
  result: SourceSection['result']
}

export interface Section {
  /** A phase, or a step by the name that its CI gives it. */
  phase: PhaseSpan['phase'] | undefined
  name: string | undefined
  result: SourceSection['result']
  first: number
  /** Infinity while it runs: its end is the log's. */
  last: number
  tookMs: number | undefined
  /** Its own page at the CI. */
  url: string | undefined
  silent: readonly SilentStep[]
}

type Sectioned = Pick<BuildDetail, 'phases' | 'sections' | 'logLines'>

/** The sections of a log, in order: its CI's steps where it names any, else its phases. */
export function sectionsOf({ phases, sections, logLines }: Sectioned): Section[] {
  return sections.length > 0 ? ofSteps(sections, logLines) : ofPhases(phases)
}

/** A phase that printed nothing has none. */
function ofPhases(phases: readonly PhaseSpan[]): Section[] {
  const begun = phases
    .map((span, at) => ({ span, endedAt: span.endedAt ?? phases[at + 1]?.startedAt }))
    .filter(({ span }) => (span.firstLine ?? 0) > 0)
    .sort((a, b) => (a.span.firstLine ?? 0) - (b.span.firstLine ?? 0))
  const sections: Section[] = []
  begun.forEach(({ span, endedAt }, at) => {
    const first = span.firstLine ?? 1
    const last = (begun[at + 1]?.span.firstLine ?? Infinity) - 1
    if (last < first) return
    const { phase } = span
    sections.push({ phase, first, last, tookMs: took(span.startedAt, endedAt), ...UNNAMED })
  })
  return sections
}

const UNNAMED = { name: undefined, result: undefined, url: undefined, silent: [] }

/** Steps come in order of the log, those of one line in order of their beginning. */
function ofSteps(steps: readonly SourceSection[], logLines: number): Section[] {
  const sections: Section[] = []
  let silent: SilentStep[] = []
  steps.forEach((step, at) => {
    const { name, firstLine: first, result } = step
    const next = steps[at + 1]?.firstLine
    // The newest step of a running build has no line yet: it is named once it prints, or is over.
    if (next === first || first > logLines) {
      silent.push({ name, result })
      return
    }
    const last = (next ?? Infinity) - 1
    const tookMs = took(step.startedAt, step.endedAt)
    const url = step.url ?? undefined
    sections.push({ phase: undefined, name, result, first, last, tookMs, url, silent })
    silent = []
  })
  const end = sections.at(-1)
  if (end !== undefined && silent.length > 0) end.silent = [...end.silent, ...silent]
  return sections
}

function took(startedAt: number | null | undefined, endedAt: number | null | undefined): number | undefined {
  return startedAt == null || endedAt == null ? undefined : Math.max(0, endedAt - startedAt)
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
