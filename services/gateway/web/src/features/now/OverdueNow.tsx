/** Overdue now: configurations of which a build was expected and has not come: silence must not read as green. */
import { IconClockExclamation } from '@tabler/icons-react'
import { Link } from 'react-router'
import { toGrid } from '@/shared/address/links'
import { isWanted, useFilter } from '@/shared/address/useFilter'
import { useSummary } from '@/shared/api/queries/history'
import { age } from '@/shared/format'
import { now as text } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import type { Overdue } from '@/shared/wire'
import classes from './RedNow.module.css'

const MINUTE_MS = 60_000

export function OverdueNow() {
  const [filter] = useFilter()
  const overdue = (useSummary().data?.overdue ?? []).filter((each) => isWanted(each, filter))
  if (overdue.length === 0) return null
  return (
    <section aria-label={text.overdue} data-testid="overdue-now">
      <h2 className={classes.late}>
        {text.overdue} <span>{overdue.length}</span>
      </h2>
      {overdue.map((each) => (
        <Late key={`${each.project} ${each.branch} ${each.config}`} overdue={each} />
      ))}
    </section>
  )
}

function Late({ overdue: { project, branch, config, owner, cadenceMinutes, lastStartedAt } }: { overdue: Overdue }) {
  return (
    <p className={classes.calm}>
      <IconClockExclamation size={16} className={classes.warned} aria-hidden />
      <span>
        {branch == null ? (
          <b>{project}</b>
        ) : (
          <Link to={toGrid(project, branch)}>
            <b>{project}</b> {branch}
          </Link>
        )}{' '}
        {config}: {text.expectedEvery(age(cadenceMinutes * MINUTE_MS))},{' '}
        {lastStartedAt == null ? (
          text.neverBuilt
        ) : (
          <>
            {text.lastStarted} <Ago at={lastStartedAt} />
          </>
        )}
        {owner != null && <> · {text.ownedBy(owner)}</>}
      </span>
    </p>
  )
}
