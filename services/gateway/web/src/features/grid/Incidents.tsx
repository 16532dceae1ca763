/** Incidents: one line for each break of the branch: what is red, since which commit, by what error, whose it may be. */
import { Button } from '@mantine/core'
import { useState } from 'react'
import { Link } from 'react-router'
import type { Address } from '@/shared/address/address'
import { toCommit, toFailure } from '@/shared/address/links'
import { shortSha } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { grid as text, now as nowText } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import type { Column, CommitRow, IncidentSummary } from '@/shared/wire'
import classes from './Incidents.module.css'
import { described } from './model/axes'

/** The table is what the page is for: more than these lines are unfolded. */
const SHOWN = 3

/** So many names are read at a glance. */
const NAMED = 2

interface Props {
  incidents: readonly IncidentSummary[] | undefined
  columns: readonly Column[]
  rows: readonly CommitRow[]
  address: Address
}

export function Incidents({ incidents = [], columns, rows, address }: Props) {
  const [isWhole, setWhole] = useState(false)
  const chosen = address.get('incident')
  const inIncidents = new Set(incidents.flatMap(stillRed))
  const others = columns.filter(({ config, colour }) => colour === 'red' && !inIncidents.has(config))
  if (incidents.length === 0 && others.length === 0) return null
  const bySize = [...incidents].sort((a, b) => stillRed(b).length - stillRed(a).length || b.openedAt - a.openedAt)
  const shown = isWhole ? bySize : bySize.filter(({ id }, at) => at < SHOWN || id === chosen)
  const left = incidents.length - shown.length
  return (
    <ul className={classes.incidents} data-testid="grid-incidents" aria-label={text.incidents}>
      {shown.map((incident) => (
        <li key={incident.id}>
          <Line incident={incident} columns={columns} rows={rows} />
          <button
            type="button"
            className={classes.only}
            aria-pressed={incident.id === chosen}
            onClick={() => address.change({ incident: incident.id === chosen ? undefined : incident.id })}
          >
            {incident.id === chosen ? text.showAll : text.showOnly}
          </button>
        </li>
      ))}
      {others.length > 0 && (
        <li className={classes.others}>
          {text.redOutside(others.length)}{' '}
          {others
            .slice(0, NAMED)
            .map(({ config }) => config)
            .join(', ')}
          {others.length > NAMED && text.andMore(others.length - NAMED)}
        </li>
      )}
      {(left > 0 || isWhole) && (
        <li>
          <Button variant="subtle" size="compact-xs" onClick={() => setWhole(!isWhole)}>
            {isWhole ? text.fewer : text.moreIncidents(left)}
          </Button>
        </li>
      )}
    </ul>
  )
}

function Line({ incident, columns, rows }: Omit<Props, 'incidents' | 'address'> & { incident: IncidentSummary }) {
  const { openedCommit, suspects, authors, failure, openedAt, signature } = incident
  const red = stillRed(incident)
  const subject = rows.find((row) => row.info.sha === openedCommit)?.info.subject
  const only = suspects?.length === 1 ? suspects[0] : undefined
  return (
    <div className={classes.line}>
      <strong title={red.join(', ')}>{namesOf(red, columns)}</strong>
      <span>
        {text.since}{' '}
        {openedCommit == null ? (
          <Ago at={openedAt} />
        ) : (
          <Link to={toCommit(openedCommit)} className={classes.sha} title={subject ?? undefined}>
            <code>{shortSha(openedCommit)}</code> {subject}
          </Link>
        )}
      </span>
      <Link to={toFailure(signature)} className={classes.error}>
        {failure ? plainText(failure.message).split('\n')[0] : nowText.noFailure}
      </Link>
      <span className={classes.soft}>
        {only !== undefined
          ? text.onlySuspect(only.author ?? shortSha(only.sha))
          : suspects
            ? `${nowText.suspects(suspects.length)}${authors.length > 0 ? `: ${authors.slice(0, NAMED).join(', ')}${authors.length > NAMED ? text.andMore(authors.length - NAMED) : ''}` : ''}`
            : nowText.suspectsUnknown}
      </span>
    </div>
  )
}

/** The red configurations by what they have in common: `all 12 riscv64, clang-asan-x86_64 and 3 more`. */
function namesOf(red: readonly string[], columns: readonly Column[]): string {
  const { whole, rest } = described(red, columns)
  const names = [...whole.map(({ value, count }) => text.allOf(count, value)), ...rest]
  const shown = names.slice(0, Math.max(NAMED, whole.length))
  const left = names.length - shown.length
  return `${shown.join(', ')}${left > 0 ? text.andMore(left) : ''}`
}

function stillRed({ configs, recoveredConfigs }: IncidentSummary): string[] {
  return configs.filter((config) => !recoveredConfigs.includes(config))
}
