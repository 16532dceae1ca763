/** Trends page: how long the builds of a branch take and how many succeed, per configuration and day. */
import { Button, Select, SegmentedControl } from '@mantine/core'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { PARTS } from '@/shared/address/choice'
import { Chosen } from '@/shared/address/Chosen'
import { toCommit } from '@/shared/address/links'
import { useChoice } from '@/shared/address/useChoice'
import { age, count, duration, percent, shortSha } from '@/shared/format'
import { trends as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { Notice, Unknown } from '@/shared/ui/Notice'
import { Page, Section } from '@/shared/ui/Page'
import type { LaneSummary, Trend, TrendList } from '@/shared/wire'
import { Chart } from './Chart'
import classes from './TrendsPage.module.css'
import { useTrends } from './queries'
import { SCALES } from './scale'
import { changedFirst, isEmpty, MEASURES, seriesOf, spanOf, type Measure } from './series'

const DAYS = ['30', '90', '365']
const USUAL_DAYS = '90'

/** So many charts are read at a glance; sixty are not. */
const SHOWN = 8

const NAMES = Object.keys(MEASURES) as Measure[]
const KNOWN = { days: DAYS, measure: NAMES }

export function TrendsPage() {
  const choice = useChoice({ parts: PARTS, isOfBranch: true, known: KNOWN })
  const { address, project, branch, lanes } = choice
  const days = address.get('days') ?? USUAL_DAYS
  const measure = NAMES.find((each) => each === address.get('measure')) ?? 'duration'
  const read = useTrends(choice, Number(days))

  return (
    <Page
      title={text.title}
      tools={
        <>
          {choice.selects}
          <Select
            size="xs"
            w={150}
            aria-label={text.measure}
            data={NAMES.map((value) => ({ value, label: text.measures[value] }))}
            value={measure}
            onChange={(value) => address.change({ measure: value ?? undefined })}
            allowDeselect={false}
          />
          <SegmentedControl
            size="xs"
            aria-label={text.days}
            data={DAYS.map((value) => ({ value, label: text.daysOf(value) }))}
            value={days}
            onChange={(value) => address.change({ days: value })}
          />
        </>
      }
    >
      <Chosen choice={choice} empty={<Empty />}>
        <Answer read={read}>
          {(list) => (
            <Charts
              list={list}
              measure={measure}
              lanes={lanes.filter((lane) => lane.project === project && lane.branch === branch)}
            />
          )}
        </Answer>
      </Chosen>
    </Page>
  )
}

interface ChartsProps {
  list: TrendList
  measure: Measure
  lanes: readonly LaneSummary[]
}

function Charts({ list, measure, lanes }: ChartsProps) {
  const [isWhole, setWhole] = useState(false)
  const span = spanOf(list.items)
  if (span === undefined) return <Empty />
  const ordered = changedFirst(list.items, MEASURES[measure])
  const shown = isWhole ? ordered : ordered.slice(0, SHOWN)
  return (
    <>
      <p className={layout.faint}>{text.hint}</p>
      {shown.map((trend) => (
        <Section
          key={trend.config}
          title={trend.config}
          aside={<Facts lane={lanes.find((lane) => lane.config === trend.config)} />}
        >
          <Lane trend={trend} measure={measure} first={span.first} last={span.last} />
        </Section>
      ))}
      {shown.length < ordered.length && (
        <Button className={layout.more} variant="default" size="xs" onClick={() => setWhole(true)}>
          {text.showAll(ordered.length)}
        </Button>
      )}
      <Unknown sentences={list.unknown} />
    </>
  )
}

interface LaneProps {
  trend: Trend
  measure: Measure
  first: number
  last: number
}

function Lane({ trend, measure, first, last }: LaneProps) {
  const series = useMemo(() => seriesOf(trend, first, last, measure), [trend, first, last, measure])
  if (isEmpty(series)) return <p className={layout.faint}>{text.noNumbers(text.measures[measure])}</p>
  return (
    <>
      <Chart label={text.chart(trend.config, text.measures[measure])} measure={measure} series={series} />
      {marksOf(trend, measure).map((mark) => (
        <p key={mark.buildId} className={classes.mark} data-measure={measure} data-direction={mark.direction}>
          {mark.words}
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

/** Lasting changes of what is shown, in words. */
function marksOf({ marks }: Trend, measure: Measure) {
  const { write } = SCALES[measure]
  const [up, down] = measure === 'duration' ? [text.slower, text.faster] : [text.up, text.down]
  return marks
    .filter((mark) => mark.measure === MEASURES[measure])
    .map((mark) => ({
      ...mark,
      words: text.mark(mark.direction === 'up' ? up : down, write(mark.before), write(mark.after)),
    }))
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
