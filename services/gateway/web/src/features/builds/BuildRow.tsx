/** Build row: one build of the list, all that matters of it in two lines. */
import { memo } from 'react'
import { Link } from 'react-router'
import { count, percent, shortSha } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { statusOf } from '@/shared/format/status'
import { beganAt, overAt } from '@/shared/format/timing'
import { build as text, list, phaseName, statusName } from '@/shared/i18n'
import { Ago, Elapsed, Remaining } from '@/shared/ui/Elapsed'
import { ProgressLine } from '@/shared/ui/ProgressLine'
import { StatusGlyph, StatusWord } from '@/shared/ui/StatusGlyph'
import type { Build } from '@/shared/wire'
import { isFinal } from '@/shared/wire'
import classes from './BuildRow.module.css'

export const BuildRow = memo(function BuildRow({ build }: { build: Build }) {
  return (
    <Link
      to={`/builds/${build.id}`}
      className={classes.row}
      data-testid="build-row"
      data-build={build.id}
      data-status={statusOf(build)}
    >
      <StatusGlyph status={statusOf(build)} />
      <div className={classes.what}>
        <div className={classes.first}>
          <strong>{build.project}</strong>
          {build.branch && <span className={classes.soft}>{build.branch}</span>}
          {build.config !== 'default' && <span className={classes.chip}>{build.config}</span>}
          {build.origin !== 'ci' && <span className={classes.chip}>{text[build.origin]}</span>}
        </div>
        <div className={classes.second}>
          {build.commit ? <code>{shortSha(build.commit)}</code> : null}
          <span className={classes.cut} title={build.commitSubject ?? undefined}>
            {build.commitSubject ?? build.command.join(' ')}
          </span>
        </div>
      </div>
      <div className={classes.state}>
        {isFinal(build.status) ? <Outcome build={build} /> : <Advance build={build} />}
      </div>
      <div className={classes.agent}>
        <div className={classes.cut}>{build.agent ?? build.host?.name ?? ''}</div>
        <div className={`${classes.second} ${classes.cut}`}>
          {build.connected || isFinal(build.status) ? (
            build.commitAuthor
          ) : (
            <em title={text.silentHint}>{text.silent}</em>
          )}
        </div>
      </div>
      <div className={classes.time}>
        <div className={classes.tabular}>
          <Elapsed build={build} />
        </div>
        <div className={classes.second}>
          {build.status === 'running' ? <Remaining build={build} /> : <Ago at={overAt(build) ?? beganAt(build)} />}
        </div>
      </div>
    </Link>
  )
})

function Advance({ build }: { build: Build }) {
  const { stepsDone, stepsTotal } = build.metrics ?? {}
  return (
    <>
      <div className={classes.first}>
        {build.failing && <StatusWord status="failing" className={classes.verdict} />}
        <span>{build.phase ? phaseName[build.phase] : !build.failing && statusName[build.status]}</span>
        {build.progress != null && <span className={classes.tabular}>{percent(build.progress)}</span>}
        {stepsDone != null && stepsTotal != null && (
          <span className={`${classes.soft} ${classes.tabular}`}>
            {text.steps(count(stepsDone), count(stepsTotal))}
          </span>
        )}
        {build.failureCount > 0 && <span className={classes.failing}>{text.failing(build.failureCount)}</span>}
        <code className={classes.last}>
          {plainText((build.failing && build.firstFailure?.message) || (build.lastLine ?? build.step ?? ''))}
        </code>
      </div>
      <div className={classes.progress}>
        <ProgressLine build={build} />
      </div>
    </>
  )
}

function Outcome({ build }: { build: Build }) {
  const failure = build.firstFailure
  const warnings = build.metrics?.warnings
  return (
    <>
      <div className={classes.first}>
        <StatusWord status={build.status} className={classes.verdict} />
        {build.provisional && <span className={classes.soft}>{text.provisional}</span>}
        {build.exitCode != null && build.exitCode !== 0 && (
          <span className={classes.soft}>{list.exit(build.exitCode)}</span>
        )}
        {warnings ? <span className={classes.soft}>{list.warnings(warnings)}</span> : null}
        {failure?.file && <code className={classes.soft}>{place(failure.file, failure.line)}</code>}
      </div>
      <div className={classes.second}>
        <code className={classes.cut}>{plainText(failure?.message ?? build.error ?? build.lastLine ?? '')}</code>
      </div>
    </>
  )
}

function place(file: string, line: number | null | undefined): string {
  const name = file.split('/').at(-1) ?? file
  return line == null ? name : `${name}:${line}`
}
