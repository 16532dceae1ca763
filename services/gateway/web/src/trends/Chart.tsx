/** Chart: median and p90 of a configuration's durations, with the share that succeeded as ground; drag to zoom. */
import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'
import { Link } from 'react-router'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { duration, percent, shortSha } from '../format'
import { toCommit } from '../history/places'
import { trends as text } from '../strings'
import type { Day } from '../wire'
import classes from './HistoryPage.module.css'
import type { Series } from './series'

const HEIGHT = 168
/** Charts of a page zoom and point together. */
const TOGETHER = uPlot.sync('history')
/** Days are the smallest thing a chart knows, however far it is zoomed. */
const DAY_TICKS = [1, 2, 3, 7, 14, 30, 60, 90].map((days) => days * 86_400)
const tick = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' })

export function Chart({ label, series }: { label: string; series: Series }) {
  const box = useRef<HTMLDivElement>(null)
  const scheme = useComputedColorScheme('light')
  const [at, setAt] = useState<number>()

  useEffect(() => {
    const element = box.current
    if (element === null) return
    const plot = new uPlot(optionsOf(element, setAt), dataOf(series), element)
    const watcher = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }))
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      plot.destroy()
    }
    // The canvas keeps the colours it was drawn with: another theme is another chart.
  }, [series, scheme])

  return (
    <div className={classes.chart}>
      <div ref={box} role="img" aria-label={label} className={classes.canvas} />
      <Legend series={series} at={at} />
    </div>
  )
}

function Legend({ series, at }: { series: Series; at: number | undefined }) {
  // Without a pointer the newest day speaks, so that the line never comes and goes.
  const place = at ?? series.facts.findLastIndex((each) => each !== undefined)
  const fact = series.facts[place]
  return (
    <p className={classes.legend}>
      <span>{day.format((series.days[place] ?? 0) * 1000)}</span>
      <span data-series="p50">
        {text.p50} {shown(fact?.p50Ms, duration)}
      </span>
      <span data-series="p90">
        {text.p90} {shown(fact?.p90Ms, duration)}
      </span>
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

function dataOf({ days, p50Ms, p90Ms, succeeded }: Series): uPlot.AlignedData {
  return [days, succeeded, p90Ms, p50Ms]
}

function optionsOf(element: HTMLElement, onPoint: (at: number | undefined) => void): uPlot.Options {
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
      share: { range: [0, 100] },
      ms: { range: (_, __, most) => [0, Math.max(1000, most * 1.1)] },
    },
    axes: [
      { ...axis, size: 28, incrs: DAY_TICKS, values: (_, seconds) => seconds.map((each) => tick.format(each * 1000)) },
      {
        ...axis,
        scale: 'ms',
        size: 62,
        incrs: [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 18_000, 36_000].map((seconds) => seconds * 1000),
        values: (_, ticks) => ticks.map((ms) => duration(ms)),
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
      { scale: 'ms', stroke: colour('warned-fill'), width: 1.5, points: { size: 4 }, spanGaps: true },
      { scale: 'ms', stroke: colour('running-fill'), width: 2, points: { size: 4 }, spanGaps: true },
    ],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? undefined)] },
  }
}
