/** Folds: which sections a reader has folded away, and the log's sections with it. */
import { useMemo, useState } from 'react'
import { hiddenBy, hiderOf, sectionsOf, type Section } from '@/features/build/log/model/sections'
import type { LineRange } from '@/shared/format/line-range'
import type { BuildDetail } from '@/shared/wire'

export interface Folds {
  /** Sections by the line they begin at. */
  headings: ReadonlyMap<number, Section>
  hidden: readonly LineRange[]
  /** The folded sections, by the line they begin at. */
  folded: ReadonlySet<number>
  isFolded: (first: number) => boolean
  toggle: (first: number) => void
  /** Folds all but the last section, or unfolds all where some are folded. */
  toggleAll: () => void
  /** Unfolds what hides a line. */
  reveal: (line: number) => void
}

const NONE: ReadonlySet<number> = new Set<number>()

export function useFolds(build: BuildDetail, foldedBefore = NONE): Folds {
  const [folded, setFolded] = useState(foldedBefore)
  const { phases, sections: steps, logLines } = build
  const sections = useMemo(() => sectionsOf({ phases, sections: steps, logLines }), [phases, steps, logLines])
  const headings = useMemo(() => new Map(sections.map((section) => [section.first, section])), [sections])
  const hidden = useMemo(() => hiddenBy(sections, folded), [sections, folded])

  const toggle = (first: number) =>
    setFolded((now) => {
      const next = new Set(now)
      if (!next.delete(first)) next.add(first)
      return next
    })
  return {
    headings,
    hidden,
    folded,
    isFolded: (first) => folded.has(first),
    toggle,
    toggleAll: () =>
      setFolded((now) => (now.size > 0 ? NONE : new Set(sections.slice(0, -1).map(({ first }) => first)))),
    reveal: (line) => {
      const hider = hiderOf(sections, folded, line)
      if (hider !== undefined) toggle(hider.first)
    },
  }
}
