/** Log excerpt: a failure as the tool printed it, with the lines around it and its caret; each line leads to the log. */
import { Link } from 'react-router'
import { useLines } from '@/shared/api/queries/logs'
import { count } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { rangeHash } from '@/shared/format/line-range'
import { build as text } from '@/shared/i18n'
import { excerptOf } from '@/shared/source/excerpt'
import type { FailureData } from '@/shared/wire'
import classes from './LogExcerpt.module.css'

interface Props {
  buildId: string
  failure: Pick<FailureData, 'firstLine' | 'lastLine' | 'message'>
}

export function LogExcerpt({ buildId, failure }: Props) {
  const { first, count: lines, from, to } = excerptOf(failure)
  const { data } = useLines(buildId, first, lines)
  // Until it is read, and where the log is gone, the message stands for it.
  if (data === undefined || data.lines.length === 0)
    return <pre className={classes.excerpt}>{plainText(failure.message)}</pre>
  return (
    // It scrolls where it is wide, so the keyboard has to reach it.
    <pre
      className={classes.excerpt}
      tabIndex={0}
      role="region"
      aria-label={text.excerpt(count(from))}
      data-testid="excerpt"
    >
      {data.lines.map((line, at) => {
        const number = data.first + at
        return (
          <span key={number} className={classes.line} data-own={(number >= from && number <= to) || undefined}>
            <Link
              to={{ pathname: `/builds/${buildId}`, search: '', hash: rangeHash({ first: number, last: number }) }}
              className={classes.number}
              tabIndex={-1}
              aria-label={text.toLine(count(number))}
            >
              {number}
            </Link>
            {plainText(line)}
            {'\n'}
          </span>
        )
      })}
    </pre>
  )
}
