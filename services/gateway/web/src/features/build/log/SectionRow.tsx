/** Section row: the heading of what a phase or step printed; folds it. */
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react'
import type { Section, SilentStep } from '@/features/build/log/model/sections'
import { count, duration } from '@/shared/format'
import { log, phaseName } from '@/shared/i18n'
import type { Gap } from '@/shared/wire'
import classes from './LogView.module.css'

interface Props {
  section: Section
  total: number
  gaps: readonly Gap[]
  isFolded: boolean
  onFold: (first: number) => void
}

export function SectionRow({ section, total, gaps, isFolded, onFold }: Props) {
  const last = Math.min(section.last, total)
  const lost = gaps.filter(({ afterLine }) => section.first <= afterLine && afterLine <= last).length
  const Icon = isFolded ? IconChevronRight : IconChevronDown
  return (
    <button
      type="button"
      className={classes.section}
      aria-expanded={!isFolded}
      onClick={() => onFold(section.first)}
      data-testid="log-section"
    >
      <Icon size={14} stroke={2} aria-hidden />
      <strong>{section.phase === undefined ? section.name : phaseName[section.phase]}</strong>
      <Result of={section.result} />
      <span>{log.lines(count(last - section.first + 1))}</span>
      {section.tookMs !== undefined && <span>{duration(section.tookMs)}</span>}
      {isFolded && lost > 0 && <em>{log.lost(lost)}</em>}
      {section.silent.map(({ name, result }, at) => (
        <small key={at}>
          {name} <Result of={result} />
        </small>
      ))}
    </button>
  )
}

/** How it ended, in a word, where that was not well. */
function Result({ of }: { of: SilentStep['result'] }) {
  if (of == null || of === 'succeeded') return undefined
  return <em data-result={of}>{log.sectionResult[of]}</em>
}
