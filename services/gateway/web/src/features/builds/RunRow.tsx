/** Run row: the builds of one commit in one row: how many went how; unfolded, each of them. */
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react'
import { useState } from 'react'
import { count, shortSha } from '@/shared/format'
import { beganAt, overAt } from '@/shared/format/timing'
import { list, shownStatusName } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import { StatusGlyph } from '@/shared/ui/StatusGlyph'
import classes from './BuildRow.module.css'
import { BuildRow } from './BuildRow'
import { countsOf, type Run } from './runs'

export function RunRow({ run: { builds } }: { run: Run }) {
  const [isOpen, setOpen] = useState(false)
  const [newest] = builds
  const counts = countsOf(builds)
  const Chevron = isOpen ? IconChevronDown : IconChevronRight
  return (
    <>
      <button
        type="button"
        className={`${classes.row} ${classes.run}`}
        aria-expanded={isOpen}
        data-testid="run-row"
        onClick={() => setOpen(!isOpen)}
      >
        <StatusGlyph status={counts[0]?.[0] ?? 'queued'} />
        <span className={classes.what}>
          <span className={classes.first}>
            <strong>{newest.project}</strong>
            {newest.branch && <span className={classes.soft}>{newest.branch}</span>}
          </span>
          <span className={classes.second}>
            <code>{shortSha(newest.commit ?? '')}</code>
            <span className={classes.cut}>{newest.commitSubject}</span>
          </span>
        </span>
        <span className={classes.state}>
          <span className={classes.first}>
            {counts.map(([status, many]) => (
              <span key={status} className={classes.counted} data-status={status}>
                {count(many)} {shownStatusName[status].toLowerCase()}
              </span>
            ))}
          </span>
          <span className={classes.second}>
            <Chevron size={14} aria-hidden /> {isOpen ? list.fold : list.unfold(builds.length)}
          </span>
        </span>
        <span className={classes.agent}>
          <span className={`${classes.second} ${classes.cut}`}>{newest.commitAuthor}</span>
        </span>
        <span className={classes.time}>
          <span className={classes.second}>
            <Ago at={overAt(newest) ?? beganAt(newest)} />
          </span>
        </span>
      </button>
      {isOpen && builds.map((build) => <BuildRow key={build.id} build={build} />)}
    </>
  )
}
