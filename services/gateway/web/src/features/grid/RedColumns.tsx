/** Red columns: each red configuration in a sentence: since which commit, and how many are suspect. */
import { Link } from 'react-router'
import { toCommit } from '@/shared/address/links'
import { shortSha } from '@/shared/format'
import { grid as text } from '@/shared/i18n'
import classes from './GridPage.module.css'
import type { SuspectRange } from './model'

export function RedColumns({ ranges }: { ranges: readonly SuspectRange[] }) {
  if (ranges.length === 0) return null
  return (
    <ul className={classes.red} data-testid="red-columns">
      {ranges.map(({ column, suspects, isWhole }) => (
        <li key={column.config}>
          {column.firstRed == null ? (
            column.config
          ) : (
            <Link to={toCommit(column.firstRed)}>{text.redSince(column.config, shortSha(column.firstRed))}</Link>
          )}
          <span>
            {suspects.length > 0 && `${text.suspectRange(sized(suspects.length, isWhole))}, `}
            {column.lastGreen == null ? text.noGreen : text.lastGreen(shortSha(column.lastGreen))}
          </span>
        </li>
      ))}
    </ul>
  )
}

function sized(count: number, isWhole: boolean): string {
  return isWhole ? text.commits(count) : text.atLeast(text.commits(count))
}
