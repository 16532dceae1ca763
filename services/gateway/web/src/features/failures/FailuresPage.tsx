/** Failures page: what breaks builds, by signature, the last seen first. */
import { Link } from 'react-router'
import { Nothing } from '@/shared/address/Chosen'
import { toFailure } from '@/shared/address/links'
import { useChoice, type Choice } from '@/shared/address/useChoice'
import { count } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { failures as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { Page } from '@/shared/ui/Page'
import { PlaceName } from '@/shared/ui/PlaceName'
import { Table } from '@/shared/ui/Table'
import type { FailureGroup } from '@/shared/wire'
import classes from './failures.module.css'
import { useFailureGroups } from './queries'
import { Sparkline } from './Sparkline'

const PARTS = ['project'] as const

export function FailuresPage() {
  const choice = useChoice({ parts: PARTS })
  const read = useFailureGroups(choice.project)
  return (
    <Page title={text.title} lead={text.lead} tools={choice.selects}>
      <Answer read={read}>
        {({ pages }) => <Groups choice={choice} groups={pages.flatMap((page) => page.items)} />}
      </Answer>
      <More read={read} label={text.more} />
    </Page>
  )
}

function Groups({ choice, groups }: { choice: Choice; groups: readonly FailureGroup[] }) {
  if (groups.length === 0) return <Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />
  return (
    <Table
      className={classes.list}
      label={text.title}
      columns={[text.failure, text.where, text.days, text.builds, text.lastSeenAt]}
    >
      {groups.map((group) => (
        <tr key={group.signature} data-testid="failure-group">
          <td className={classes.what}>
            <Link
              to={toFailure(group.signature, choice.project)}
              className={classes.message}
              data-known={group.sample != null}
            >
              {group.sample ? plainText(group.sample.message).split('\n')[0] : text.unclassified}
            </Link>
            {group.sample && (
              <p className={classes.facts}>
                <span>{group.sample.category}</span>
                {group.sample.file && <PlaceName failure={group.sample} />}
              </p>
            )}
          </td>
          <td className={`${layout.soft} ${classes.where}`} title={group.configs.join(', ')}>
            {group.projects.join(', ')}
            <p className={classes.facts}>{shortList(group.configs)}</p>
          </td>
          <td className={classes.chart}>
            <Sparkline days={group.sparkline} />
          </td>
          <td>{count(group.count)}</td>
          <td className={layout.nowrap}>
            <Ago at={group.lastSeenAt} />
          </td>
        </tr>
      ))}
    </Table>
  )
}

/** Sixty names say less than their number. */
const NAMED = 3

function shortList(names: readonly string[]): string {
  const more = names.length > NAMED ? text.andMore(names.length - NAMED) : ''
  return `${names.slice(0, NAMED).join(', ')}${more}`
}
