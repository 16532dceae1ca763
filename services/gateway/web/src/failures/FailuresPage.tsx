/** Failures page: what breaks builds, by signature, the last seen first. */
import { Select } from '@mantine/core'
import { Link, useSearchParams } from 'react-router'
import { Ago } from '../builds/Elapsed'
import { count } from '../format'
import { PlaceName } from '../failure/PlaceName'
import { toFailure } from '../history/places'
import { useFailureGroups, useSummary } from '../history/queries'
import { Answer } from '../layout/Answer'
import layout from '../layout/layout.module.css'
import { More } from '../layout/More'
import { Notice } from '../layout/Notice'
import { Page } from '../layout/Page'
import { Table } from '../layout/Table'
import { plainText } from '../log/ansi'
import { failures as text } from '../strings'
import type { FailureGroup } from '../wire'
import classes from './failures.module.css'
import { Sparkline } from './Sparkline'

export function FailuresPage() {
  const [params, setParams] = useSearchParams()
  const project = params.get('project') ?? undefined
  const read = useFailureGroups(project)
  const known = useSummary().data?.items.map((lane) => lane.project) ?? []
  const offered = [...new Set(project === undefined ? known : [...known, project])].sort()
  return (
    <Page
      title={text.title}
      lead={text.lead}
      tools={
        <Select
          size="xs"
          aria-label={text.project}
          placeholder={text.allProjects}
          data={offered}
          value={project ?? null}
          onChange={(chosen) => setParams(chosen === null ? {} : { project: chosen }, { replace: true })}
          clearable
        />
      }
    >
      <Answer read={read}>{({ pages }) => <Groups groups={pages.flatMap((page) => page.items)} />}</Answer>
      <More read={read} label={text.more} />
    </Page>
  )
}

function Groups({ groups }: { groups: readonly FailureGroup[] }) {
  if (groups.length === 0) {
    return (
      <Notice title={text.emptyTitle}>
        <p>{text.empty}</p>
      </Notice>
    )
  }
  return (
    <Table label={text.title} columns={[text.failure, text.where, text.days, text.builds, text.lastSeen]}>
      {groups.map((group) => (
        <tr key={group.signature} data-testid="failure-group">
          <td className={classes.what}>
            <Link to={toFailure(group.signature)} className={classes.message} data-known={group.sample != null}>
              {group.sample ? plainText(group.sample.message).split('\n')[0] : text.unclassified}
            </Link>
            {group.sample && (
              <p className={classes.facts}>
                <span>{group.sample.category}</span>
                {group.sample.file && <PlaceName failure={group.sample} />}
              </p>
            )}
          </td>
          <td className={layout.soft}>
            {group.projects.join(', ')}
            <p className={classes.facts}>{group.configs.join(', ')}</p>
          </td>
          <td>
            <Sparkline days={group.sparkline} />
          </td>
          <td>{count(group.count)}</td>
          <td className={layout.nowrap}>
            <Ago at={group.lastSeen} />
          </td>
        </tr>
      ))}
    </Table>
  )
}
