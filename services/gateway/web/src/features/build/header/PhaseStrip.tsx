/** Phase strip: the phases of a build, each as wide as it took long. */
import { duration } from '@/shared/format'
import { phaseName } from '@/shared/i18n'
import { useKnownNow } from '@/shared/ui/Elapsed'
import { isFinal, type BuildDetail, type PhaseSpan } from '@/shared/wire'
import classes from './PhaseStrip.module.css'

export function PhaseStrip({ build }: { build: BuildDetail }) {
  const now = useKnownNow()
  if (build.phases.length === 0) return null
  const end = build.endedAt ?? (isFinal(build.status) ? (build.updatedAt ?? now) : now)
  return (
    <ol className={classes.strip}>
      {build.phases.map((span, at) => {
        const took = Math.max(0, (endOf(span, build.phases[at + 1]) ?? end) - span.startedAt)
        const isNow = !isFinal(build.status) && at === build.phases.length - 1
        return (
          <li key={at} className={classes.phase} data-now={isNow} style={{ flexGrow: Math.max(1, took) }}>
            <Label span={span} />
            <span className={classes.took}>{duration(isNow ? Math.floor(took / 1000) * 1000 : took)}</span>
          </li>
        )
      })}
    </ol>
  )
}

function Label({ span }: { span: PhaseSpan }) {
  const name = phaseName[span.phase]
  return span.firstLine ? <a href={`#L${span.firstLine}`}>{name}</a> : <span>{name}</span>
}

function endOf(span: PhaseSpan, next: PhaseSpan | undefined): number | undefined {
  return span.endedAt ?? next?.startedAt ?? undefined
}
