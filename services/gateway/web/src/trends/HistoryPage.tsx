/** History page: how long the builds of a branch take and how many succeed, per configuration and day. */
import { SegmentedControl } from '@mantine/core'
import { useMemo } from 'react'
import { Link, useSearchParams } from 'react-router'
import { age, count, duration, percent, shortSha } from '../format'
import { toCommit } from '../history/places'
import { useSummary, useTrends } from '../history/queries'
import { useBranch, withParam } from '../history/useBranch'
import { Answer } from '../layout/Answer'
import layout from '../layout/layout.module.css'
import { Notice, Unknown } from '../layout/Notice'
import { Page, Section } from '../layout/Page'
import { trends as text } from '../strings'
import type { LaneSummary, Trend, TrendList } from '../wire'
import { Chart } from './Chart'
import classes from './HistoryPage.module.css'
import { seriesOf, spanOf } from './series'

const DAYS = [30, 90, 365]

export function HistoryPage() {
  const [params, setParams] = useSearchParams()
  const { project, branch, select } = useBranch()
  const days = DAYS.find((each) => String(each) === params.get('days')) ?? 90
  const summary = useSummary()
  const lanes = summary.data?.items ?? []
  const read = useTrends(project, branch, days)

  return (
    <Page
      title={text.title}
      tools={
        <>
          {select}
          <SegmentedControl
            size="xs"
            aria-label={text.days}
            data={DAYS.map((each) => ({ value: String(each), label: text.daysOf(each) }))}
            value={String(days)}
            onChange={(value) =>
              setParams((now) => withParam(new URLSearchParams(now), 'days', value), { replace: true })
            }
          />
        </>
      }
    >
      {project === undefined ? (
        <Answer read={summary}>{() => <Empty />}</Answer>
      ) : (
        <Answer read={read}>
          {(list) => (
            <Charts list={list} lanes={lanes.filter((lane) => lane.project === project && lane.branch === branch)} />
          )}
        </Answer>
      )}
    </Page>
  )
}

function Charts({ list, lanes }: { list: TrendList; lanes: readonly LaneSummary[] }) {
  const span = spanOf(list.items)
  if (span === undefined) return <Empty />
  return (
    <>
      <p className={layout.faint}>{text.hint}</p>
      {list.items.map((trend) => (
        <Section
          key={trend.config}
          title={trend.config}
          aside={<Facts lane={lanes.find((lane) => lane.config === trend.config)} />}
        >
          <Lane trend={trend} first={span.first} last={span.last} />
        </Section>
      ))}
      <Unknown sentences={list.unknown} />
    </>
  )
}

function Lane({ trend, first, last }: { trend: Trend; first: number; last: number }) {
  const series = useMemo(() => seriesOf(trend, first, last), [trend, first, last])
  return (
    <>
      <Chart label={text.durations(trend.config)} series={series} />
      {trend.marks.map((mark) => (
        <p key={mark.buildId} className={classes.mark} data-direction={mark.direction}>
          {text.mark(text[mark.direction], duration(mark.beforeMs), duration(mark.afterMs))}
          {mark.commit != null && (
            <Link to={toCommit(mark.commit)}>
              <code>{shortSha(mark.commit)}</code>
            </Link>
          )}
          {mark.changedPins?.map((pin) => (
            <span key={pin.name}>
              {pin.name} <code>{shortSha(pin.commit)}</code>
            </span>
          ))}
        </p>
      ))}
    </>
  )
}

function Facts({ lane }: { lane: LaneSummary | undefined }) {
  if (lane === undefined) return null
  const { builds, successRate, p50Ms, timeToRedMs, timeToRecoverMs, queueP50Ms } = lane.pace
  const facts = [
    text.facts.builds(count(builds)),
    successRate != null && `${percent(successRate * 100)} ${text.facts.success}`,
    p50Ms != null && `${duration(p50Ms)} ${text.facts.median}`,
    timeToRedMs != null && `${age(timeToRedMs)} ${text.facts.red}`,
    timeToRecoverMs != null && `${age(timeToRecoverMs)} ${text.facts.recover}`,
    queueP50Ms != null && `${age(queueP50Ms)} ${text.facts.queue}`,
  ]
  return <>{facts.filter(Boolean).join(' · ')}</>
}

function Empty() {
  return (
    <Notice title={text.emptyTitle}>
      <p>{text.empty}</p>
    </Notice>
  )
}
