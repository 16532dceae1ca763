/** Log lines: some lines of a build's log, each with its number, which leads there. */
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { count } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { rangeHash } from '@/shared/format/line-range'
import { build as text } from '@/shared/i18n'
import classes from './LogLines.module.css'

export function LogLines({ label, testId, children }: { label: string; testId: string; children: ReactNode }) {
  return (
    // It scrolls where it is wide, so the keyboard has to reach it.
    <pre className={classes.lines} tabIndex={0} role="region" aria-label={label} data-testid={testId}>
      {children}
    </pre>
  )
}

interface Props {
  buildId: string
  number: number
  line: string
  /** It is one of those that the excerpt is about. */
  isOwn?: boolean
  /** A remark on it. */
  note?: string | undefined
}

export function LogLine({ buildId, number, line, isOwn = false, note }: Props) {
  return (
    <span className={classes.line} data-own={isOwn || undefined}>
      <Link
        to={{ pathname: `/builds/${buildId}`, search: '', hash: rangeHash({ first: number, last: number }) }}
        className={classes.number}
        tabIndex={-1}
        aria-label={text.toLine(count(number))}
      >
        {number}
      </Link>
      {plainText(line)}
      {note !== undefined && <span className={classes.note}>{note}</span>}
      {'\n'}
    </span>
  )
}
