/** Incident page: one break of a branch: what broke, who is on it, who is suspect, how to undo it, what happened. */
import { Button, CopyButton } from '@mantine/core'
import { Link, useParams } from 'react-router'
import { toFailure, toGrid } from '@/shared/address/links'
import { BuildLink, CommitLink } from '@/shared/address/ShortLinks'
import { ApiError } from '@/shared/api/client'
import { plainText } from '@/shared/format/ansi'
import { incident as text, now } from '@/shared/i18n'
import { AlsoRed } from '@/shared/address/AlsoRed'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { Page, Section } from '@/shared/ui/Page'
import { PlaceName } from '@/shared/ui/PlaceName'
import type { Incident } from '@/shared/wire'
import classes from './incident.module.css'
import { Owned } from './Owned'
import { useIncident } from './queries'
import { timelineOf } from './timeline'
import { Written } from './Written'

export function IncidentPage() {
  const { id = '' } = useParams()
  const read = useIncident(id)
  const isMissing = read.error instanceof ApiError && read.error.isMissing
  const message = read.data?.failure ? plainText(read.data.failure.message).split('\n')[0] : undefined
  return (
    <Page title={message ?? text.title} lead={read.data && <Lead incident={read.data} />}>
      {isMissing ? (
        <Notice title={text.missing}>
          <p>{text.missingHint}</p>
        </Notice>
      ) : (
        <Answer read={read}>{(incident) => <Whole incident={incident} />}</Answer>
      )}
    </Page>
  )
}

function Lead({ incident }: { incident: Incident }) {
  const { project, branch, state, endedAs, openedAt, openedBy, signature } = incident
  return (
    <>
      <Link to={toGrid(project, branch ?? '')} className={layout.link}>
        {project} {branch ?? now.noBranch}
      </Link>
      ,{' '}
      <span className={state === 'open' ? layout.red : layout.green}>
        {state === 'open' ? text.open : text.closed(endedAs ?? '')}
      </span>
      , {text.since.toLowerCase()} <Ago at={openedAt} />. {text.firstBuild}: <BuildLink id={openedBy} />.{' '}
      <Link to={toFailure(signature)} className={layout.link}>
        {text.failure}
      </Link>
    </>
  )
}

function Whole({ incident }: { incident: Incident }) {
  return (
    <>
      {incident.failure?.file && <PlaceName failure={incident.failure} />}
      <AlsoRed signature={incident.signature} project={incident.project} branch={incident.branch} />
      <Owned incident={incident} />
      <Suspects incident={incident} />
      <Revert incident={incident} />
      <Section title={text.configs}>
        <ul className={classes.list}>
          {incident.members.map(({ config, lastBuild, recoveredAt }) => (
            <li key={config}>
              <span className={recoveredAt == null ? layout.red : layout.green}>
                {recoveredAt == null ? text.red : text.recovered}
              </span>{' '}
              {config} <BuildLink id={lastBuild} />
            </li>
          ))}
        </ul>
      </Section>
      <Written incident={incident} />
      <Section title={text.timeline}>
        <ol className={classes.list} data-testid="timeline">
          {timelineOf(incident).map(({ at, words, buildId }, place) => (
            <li key={place}>
              <span className={layout.faint}>
                <Ago at={at} />
              </span>{' '}
              {words} {buildId !== undefined && <BuildLink id={buildId} />}
            </li>
          ))}
        </ol>
      </Section>
    </>
  )
}

function Suspects({ incident: { suspects } }: { incident: Incident }) {
  return (
    <Section title={text.suspects}>
      {suspects == null && <p className={layout.soft}>{text.suspectsUnknown}</p>}
      {suspects?.length === 0 && <p className={layout.soft}>{text.noSuspects}</p>}
      <ul className={classes.list}>
        {(suspects ?? []).map(({ sha, author, subject }) => (
          <li key={sha}>
            <CommitLink sha={sha} /> {author} <span className={layout.soft}>{subject}</span>
          </li>
        ))}
      </ul>
    </Section>
  )
}

function Revert({ incident: { revert } }: { incident: Incident }) {
  if (revert == null) return null
  const commands = revert.commands.join(' && \\\n  ')
  return (
    <Section title={text.revert}>
      <p className={layout.soft}>{text.revertLead}</p>
      <pre className={classes.commands} data-testid="revert">
        {commands}
      </pre>
      <div className={classes.owned}>
        <CopyButton value={commands}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy}>
              {copied ? text.copied : text.copy}
            </Button>
          )}
        </CopyButton>
        {revert.commitUrl != null && (
          <a href={revert.commitUrl} className={layout.link} rel="noreferrer" target="_blank">
            {text.toCommit}
          </a>
        )}
        {revert.proposeUrl != null && (
          <a href={revert.proposeUrl} className={layout.link} rel="noreferrer" target="_blank">
            {text.propose}
          </a>
        )}
      </div>
    </Section>
  )
}
