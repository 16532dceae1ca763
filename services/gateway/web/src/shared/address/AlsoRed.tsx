/** Also red: the other branches, of any project, on which the same failure is red now, in one line. */
import { Fragment } from 'react'
import { Link } from 'react-router'
import { useFailureGroup } from '@/shared/api/queries/history'
import { alsoRed as text, now } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { toFailure, toIncident } from './links'

const SHOWN = 2

interface Props {
  signature: string | null | undefined
  project: string
  branch: string | null | undefined
}

export function AlsoRed({ signature, project, branch }: Props) {
  const { data } = useFailureGroup(signature ?? '', undefined, signature != null)
  const others = (data?.redAt ?? []).filter(
    (place) => place.project !== project || (place.branch ?? '') !== (branch ?? ''),
  )
  if (signature == null || others.length === 0) return null
  return (
    <p className={layout.soft} data-testid="also-red">
      {text.title}{' '}
      {others.slice(0, SHOWN).map((place, at) => (
        <Fragment key={place.incident}>
          {at > 0 && '; '}
          <Link to={toIncident(place.incident)} className={layout.link}>
            {place.project} {place.branch ?? now.noBranch}
          </Link>{' '}
          ({text.configs(place.configs)}), <Ago at={place.firstStartedAt} />
        </Fragment>
      ))}
      {others.length > SHOWN && (
        <>
          {' '}
          <Link to={toFailure(signature)} className={layout.link}>
            {text.more(others.length - SHOWN)}
          </Link>
        </>
      )}
    </p>
  )
}
