/** Log excerpt: a failure as the tool printed it, with the lines around it and its caret; each line leads to the log. */
import { useLines } from '@/shared/api/queries/logs'
import { count } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { build as text } from '@/shared/i18n'
import { excerptOf } from '@/shared/source/excerpt'
import type { FailureData } from '@/shared/wire'
import { LogLine, LogLines } from './LogLines'
import classes from './LogLines.module.css'

interface Props {
  buildId: string
  failure: Pick<FailureData, 'firstLine' | 'lastLine' | 'message'>
}

export function LogExcerpt({ buildId, failure }: Props) {
  const { first, count: lines, from, to } = excerptOf(failure)
  const { data } = useLines(buildId, first, lines)
  // Until it is read, and where the log is gone, the message stands for it.
  if (data === undefined || data.lines.length === 0)
    return <pre className={classes.lines}>{plainText(failure.message)}</pre>
  return (
    <LogLines label={text.excerpt(count(from))} testId="excerpt">
      {data.lines.map((line, at) => {
        const number = data.first + at
        return (
          <LogLine key={number} buildId={buildId} number={number} line={line} isOwn={number >= from && number <= to} />
        )
      })}
    </LogLines>
  )
}
