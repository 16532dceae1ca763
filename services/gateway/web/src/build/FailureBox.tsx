/** Failure box: the first real error, before anything else is read. */
import { Link } from 'react-router'
import { count } from '../format'
import { plainText } from '../log/ansi'
import { rangeHash } from '../log/line-range'
import { build as text } from '../strings'
import type { Build, FailureData } from '../wire'
import classes from './FailureBox.module.css'

export function FailureBox({ build, failure }: { build: Build; failure: FailureData }) {
  const more = build.failureCount - 1
  const range = { first: failure.firstLine, last: failure.lastLine ?? failure.firstLine }
  return (
    <section className={classes.box} data-testid="failure">
      <div className={classes.head}>
        <h2>{text.failure}</h2>
        <span className={classes.kind}>{failure.category}</span>
        {failure.file && <code className={classes.place}>{placeOf(failure)}</code>}
        {failure.target && <span className={classes.target}>{failure.target}</span>}
        <Link className={classes.link} to={{ search: '', hash: rangeHash(range) }}>
          {text.toLine(count(failure.firstLine))}
        </Link>
        {more > 0 && <span className={classes.more}>{text.moreFailures(more)}</span>}
      </div>
      <pre className={classes.message}>{plainText(failure.message)}</pre>
    </section>
  )
}

function placeOf({ file, line, col }: FailureData): string {
  return [file, line, col].filter((part) => part != null).join(':')
}
