/** Chart: a measure of a configuration by day, with the share that succeeded as ground; drag to zoom. */
import 'uplot/dist/uPlot.min.css'
import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'
import { Link } from 'react-router'
import uPlot from 'uplot'
import { toCommit } from '@/shared/address/links'
import { percent, shortSha } from '@/shared/format'
import { trends as text } from '@/shared/i18n'
import type { Day } from '@/shared/wire'
import classes from './TrendsPage.module.css'
import { SCALES } from './scale'
import type { Measure, Series } from './series'

const HEIGHT = 168
/** Charts of a page zoom and point together. */
const TOGETHER = uPlot.sync('history')
/** Days are the smallest thing a chart knows, however far it is zoomed. */
const DAY_TICKS = [1, 2, 3, 7, 14, 30, 60, 90].map((days) => days * 86_400)
const WEEK = 7 * 86_400
const tick = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' })

interface Props {
  label: string
  measure: Measure
  series: Series
}

export function Chart({ label, measure, series }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const scheme = useComputedColorScheme('light')
  const [at, setAt] = useState<number>()

  useEffect(() => {
    const element = box.current
    if (element === null) return
    const plot = new uPlot(optionsOf(element, measure, series, setAt), dataOf(series), element)
    const watcher = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }))
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      plot.destroy()
    }
    // The canvas keeps the colours it was drawn with: another theme is another chart.
  }, [measure, series, scheme])

  return (
    <div className={classes.chart}>
      <div ref={box} role="img" aria-label={label} className={classes.canvas} />
      <Legend measure={measure} series={series} at={at} />
    </div>
  )
}

function Legend({ measure, series, at }: Omit<Props, 'label'> & { at: number | undefined }) {
  // Without a pointer the newest day is shown, so that the line never comes and goes.
  const place = at ?? series.facts.findLastIndex((each) => each !== undefined)
  const fact = series.facts[place]
  return (
    <p className={classes.legend}>
      <span>{day.format((series.days[place] ?? 0) * 1000)}</span>
      {series.lines.toReversed().map(({ name, values }) => (
        <span key={name} data-series={name}>
          {name === 'value' ? text.measures[measure] : text.lines[name]} {shown(values[place], SCALES[measure].write)}
        </span>
      ))}
      <span data-series="succeeded">
        {text.success} {shown(series.succeeded[place], percent)}
      </span>
      <Origin fact={fact} />
    </p>
  )
}

function Origin({ fact }: { fact: Day | undefined }) {
  return (
    <>
      {fact?.lastCommit != null && (
        <Link to={toCommit(fact.lastCommit)}>
          {text.commit} <code>{shortSha(fact.lastCommit)}</code>
        </Link>
      )}
      {fact?.lastPins?.map((pin) => {
        const [name = '', sha = ''] = pin.split('@')
        return (
          <span key={pin} className={classes.pin}>
            {name} <code>{shortSha(sha)}</code>
          </span>
        )
      })}
    </>
  )
}

function shown(value: number | null | undefined, write: (value: number) => string): string {
  return value == null ? '–' : write(value)
}

function dataOf({ days, lines, succeeded }: Series): uPlot.AlignedData {
  return [days, succeeded, ...lines.map(({ values }) => values)]
}

function optionsOf(
  element: HTMLElement,
  measure: Measure,
  { days, lines }: Series,
  onPoint: (at: number | undefined) => void,
): uPlot.Options {
  const { write, ticks, least } = SCALES[measure]
  const style = getComputedStyle(element)
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('ink-faint'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
  }
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'UTC'),
    cursor: { sync: { key: TOGETHER.key, scales: ['x', null] }, y: false, drag: { x: true, y: false } },
    scales: {
      // One day alone is a point in its week.
      x: { range: (_, from, to) => (days.length === 1 ? [from - WEEK / 2, from + WEEK / 2] : [from, to]) },
      share: { range: [0, 100] },
      value: { range: (_, __, most) => [0, measure === 'cache' ? least : Math.max(least, most * 1.1)] },
    },
    axes: [
      { ...axis, size: 28, incrs: DAY_TICKS, values: (_, seconds) => seconds.map((each) => tick.format(each * 1000)) },
      {
        ...axis,
        scale: 'value',
        size: 68,
        incrs: ticks,
        values: (_, at) => at.map(write),
      },
      { ...axis, scale: 'share', side: 1, size: 48, grid: { show: false }, values: (_, ticks) => ticks.map(percent) },
    ],
    series: [
      {},
      {
        scale: 'share',
        stroke: 'transparent',
        fill: colour('succeeded-soft'),
        width: 1,
        points: { show: false },
        paths: uPlot.paths.stepped?.({ align: 1 }),
      },
      ...lines.map(({ name }) => {
        const isMain = name === 'p50' || name === 'value'
        return {
          scale: 'value',
          stroke: colour(isMain ? 'running-fill' : name === 'failed' ? 'failed-fill' : 'warned-fill'),
          width: isMain ? 2 : 1.5,
          points: { size: 4 },
          spanGaps: true,
        }
      }),
    ],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? undefined)] },
  }
}
