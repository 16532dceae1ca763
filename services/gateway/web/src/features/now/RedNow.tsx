/** Red now: the open incidents: where, since when, who is suspect, and the first error. */
import { IconCircleCheckFilled, IconCircleXFilled } from '@tabler/icons-react'
import { Link } from 'react-router'
import { toArtifacts, toGrid, toIncident } from '@/shared/address/links'
import { isWanted, useFilter } from '@/shared/address/useFilter'
import { useArtifacts } from '@/shared/api/queries/artifacts'
import { useOpenIncidents, useSummary } from '@/shared/api/queries/history'
import { plainText } from '@/shared/format/ansi'
import { incident as incidentText, now as text, verdict } from '@/shared/i18n'
import type { Filter } from '@/shared/live/rows'
import { Ago } from '@/shared/ui/Elapsed'
import { PlaceName } from '@/shared/ui/PlaceName'
import type { IncidentSummary } from '@/shared/wire'
import { ownersOf, stillRed } from './owners'
import classes from './RedNow.module.css'

export function RedNow() {
  const [filter] = useFilter()
  const incidents = useOpenIncidents(filter.project, filter.branch)
  if (incidents.data === undefined) {
    if (incidents.error === null) return <div className={classes.awaited} aria-busy="true" />
    return (
      <p className={classes.calm} role="alert">
        {text.failedToLoad} {incidents.error.message}
      </p>
    )
  }
  const shown = incidents.data.items
  if (shown.length === 0) return <AllGreen filter={filter} />
  return (
    <section aria-label={text.red} data-testid="red-now">
      <h2 className={classes.heading}>
        {text.red} <span>{shown.length}</span>
      </h2>
      <div className={classes.incidents}>
        {shown.map((incident) => (
          <Incident key={incident.id} incident={incident} />
        ))}
      </div>
    </section>
  )
}

function Incident({ incident }: { incident: IncidentSummary }) {
  const { project, branch, failure } = incident
  const red = stillRed(incident)
  const owners = ownersOf(incident, useSummary().data?.items ?? [])
  return (
    <article className={classes.incident}>
      <IconCircleXFilled size={18} className={classes.glyph} aria-hidden />
      <div className={classes.where}>
        <div className={classes.line}>
          <Link to={toGrid(project, branch ?? '')} className={classes.project}>
            {project}
          </Link>
          <span className={classes.soft}>{branch ?? text.noBranch}</span>
        </div>
        <div className={classes.small} title={red.join(', ')}>
          {red.length <= 3 ? red.join(', ') : text.configs(red.length)}
          {owners.length > 0 && <span> · {text.ownedBy(owners.join(', '))}</span>}
        </div>
      </div>
      <div className={classes.what}>
        <Link to={toIncident(incident.id)} className={classes.message} data-known={failure != null}>
          {failure ? plainText(failure.message).split('\n')[0] : text.noFailure}
        </Link>
        <div className={classes.small}>
          {failure?.file && <PlaceName failure={failure} />}
          {incident.override != null && (
            <span title={incident.override.reason}>
              {text.by(incident.override.by, verdict.names[incident.override.verdict])}
            </span>
          )}
        </div>
      </div>
      <div className={classes.whose}>
        <div title={incident.unknown.join('; ')}>
          {incident.suspects ? text.suspects(incident.suspects.length) : text.suspectsUnknown}
        </div>
        <div className={classes.small}>{incident.authors.join(', ')}</div>
        <div className={classes.small} data-testid="on-it">
          {incident.ownership?.acknowledgedBy != null
            ? incidentText.isOn(incident.ownership.acknowledgedBy)
            : incidentText.nobody}
        </div>
      </div>
      <div className={classes.since}>
        <Ago at={incident.openedAt} />
        <Link to={`/builds/${incident.openedBy}`} className={classes.link}>
          {text.firstRed}
        </Link>
        <Artifacts buildId={incident.openedBy} />
      </div>
    </article>
  )
}

/** The way to what the first red build left behind: a core, a reproducer, a report. */
function Artifacts({ buildId }: { buildId: string }) {
  const kept = useArtifacts(buildId).data?.items.length ?? 0
  if (kept === 0) return null
  return (
    <Link to={toArtifacts(buildId)} className={classes.link}>
      {text.artifacts(kept)}
    </Link>
  )
}

/** Of what the filter shows alone. */
function AllGreen({ filter }: { filter: Filter }) {
  const lanes = (useSummary().data?.items ?? []).filter((lane) => isWanted(lane, filter))
  const green = lanes.filter(({ colour }) => colour === 'green').length
  if (lanes.every(({ colour }) => colour === 'none')) return null
  return (
    <p className={classes.calm}>
      <IconCircleCheckFilled size={16} className={classes.green} aria-hidden />
      {green === lanes.length ? text.allGreen(green) : text.greenOf(green, lanes.length)}
    </p>
  )
}
