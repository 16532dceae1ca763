/** Failure page: one group of failures: a sample, when and where it was seen, and why these builds are one group. */
import type { ReactNode } from 'react'
import { Link, useParams } from 'react-router'
import { Nothing } from '@/shared/address/Chosen'
import { toGrid } from '@/shared/address/links'
import { BuildLink, CommitLink } from '@/shared/address/ShortLinks'
import { useChoice } from '@/shared/address/useChoice'
import { useFailureGroup } from '@/shared/api/queries/history'
import { ApiError } from '@/shared/api/client'
import { useFailureOf } from '@/shared/api/queries/logs'
import { count } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { failures as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import { FactList, type NamedFact } from '@/shared/ui/FactList'
import layout from '@/shared/ui/layout.module.css'
import { LogExcerpt } from '@/shared/ui/LogExcerpt'
import { Page, Section } from '@/shared/ui/Page'
import { PlaceName } from '@/shared/ui/PlaceName'
import { Table } from '@/shared/ui/Table'
import type { FailureGroup } from '@/shared/wire'
import classes from './failures.module.css'
import { Sparkline } from './Sparkline'

const PARTS = ['project'] as const

export function FailurePage() {
  const { signature = '' } = useParams()
  const choice = useChoice({ parts: PARTS })
  const read = useFailureGroup(signature, choice.project)
  const isMissing = read.error instanceof ApiError && read.error.isMissing
  const sample = read.data?.sample
  return (
    <Page title={sample ? sample.category : text.failure} lead={<code>{signature}</code>} tools={choice.selects}>
      {isMissing ? (
        <Nothing choice={choice} title={text.missing} />
      ) : (
        <Answer read={read}>{(group) => <Group group={group} />}</Answer>
      )}
    </Page>
  )
}

function Group({ group }: { group: FailureGroup }) {
  const { sample } = group
  const [newest] = group.builds
  const shown = useFailureOf(newest?.id, group.signature)
  return (
    <>
      <div className={classes.sample}>
        {sample?.file && <PlaceName failure={sample} className={classes.place} />}
        <pre data-known={sample != null}>{sample ? plainText(sample.message) : text.unclassified}</pre>
        {newest !== undefined && shown !== undefined && (
          <LogExcerpt key={newest.id} buildId={newest.id} failure={shown} />
        )}
      </div>
      <dl className={classes.numbers}>
        <Fact name={text.builds}>{count(group.count)}</Fact>
        <Fact name={text.firstSeenAt}>
          <Ago at={group.firstSeenAt} />
        </Fact>
        <Fact name={text.lastSeenAt}>
          <Ago at={group.lastSeenAt} />
        </Fact>
        <Fact name={text.where}>{group.configs.join(', ')}</Fact>
        <Fact name={text.days}>
          <Sparkline days={group.sparkline} height={28} />
        </Fact>
      </dl>
      <Section title={text.affected} aside={group.builds.length < group.count && text.newest(group.builds.length)}>
        <Table label={text.affected} columns={[text.build, text.project, text.config, text.commit, text.started]}>
          {group.builds.map((build) => (
            <tr key={build.id} data-testid="failure-build">
              <td>
                <BuildLink id={build.id} />
              </td>
              <td>
                <Link to={toGrid(build.project, build.branch)} className={layout.name}>
                  {build.project}
                </Link>{' '}
                <span className={layout.soft}>{build.branch}</span>
              </td>
              <td>{build.config}</td>
              <td>{build.commit != null && <CommitLink sha={build.commit} />}</td>
              <td className={layout.nowrap}>
                <Ago at={build.startedAt} />
              </td>
            </tr>
          ))}
        </Table>
      </Section>
      <HowGrouped group={group} />
    </>
  )
}

function HowGrouped({ group: { signature, sample } }: { group: FailureGroup }) {
  const facts: NamedFact[] = [
    [text.category, sample?.category],
    [text.tool, sample?.tool],
    [text.place, sample?.file],
    [text.target, sample?.target],
    [text.fault, sample?.fault],
    [text.signature, signature],
  ]
  return (
    <details className={classes.how}>
      <summary>{text.how}</summary>
      <p>{sample ? text.howText : text.howUnclassified}</p>
      <FactList facts={facts} />
    </details>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
