/** Failure head: what a failure is and where: category, place in the sources, target, line of the log. */
import { useMemo, type ReactNode } from 'react'
import { Link } from 'react-router'
import { count } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { rangeHash } from '@/shared/format/line-range'
import { build as text, log } from '@/shared/i18n'
import { SourceTree } from '@/shared/source/source-tree'
import { PlaceName } from '@/shared/ui/PlaceName'
import type { BuildDetail, FailureData } from '@/shared/wire'
import classes from './failure.module.css'
import { Verdict } from './Verdict'

interface Props {
  build: BuildDetail
  failure: FailureData
  title?: string
  children?: ReactNode
}

export function FailureHead({ build, failure, title, children }: Props) {
  const range = { first: failure.firstLine, last: failure.lastLine ?? failure.firstLine }
  return (
    <div className={classes.head}>
      {title !== undefined && <h2>{title}</h2>}
      <span className={classes.kind}>{failure.category}</span>
      <Verdict build={build} failure={failure} />
      {failure.file && <Place build={build} failure={failure} />}
      {failure.target && <span className={classes.target}>{failure.target}</span>}
      <Link className={classes.link} to={{ search: '', hash: rangeHash(range) }}>
        {text.toLine(count(failure.firstLine))}
      </Link>
      {children}
    </div>
  )
}

function Place({ build, failure }: { build: BuildDetail; failure: FailureData }) {
  const tree = useMemo(() => SourceTree.of(build), [build])
  const href = tree?.urlOf(failure.file ?? '', failure.line)
  const place = <PlaceName failure={failure} cwd={build.cwd} className={classes.place} />
  return href === undefined ? (
    place
  ) : (
    <a href={href} target="_blank" rel="noreferrer" title={log.openSource} className={classes.source}>
      {place}
    </a>
  )
}

export function FailureMessage({ failure }: { failure: FailureData }) {
  return (
    // It scrolls where it is long, so the keyboard has to reach it.
    <pre className={classes.message} tabIndex={0} role="region" aria-label={text.message(count(failure.firstLine))}>
      {plainText(failure.message)}
    </pre>
  )
}
