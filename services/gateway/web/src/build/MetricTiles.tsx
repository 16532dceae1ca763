/** Metric tiles: the numbers of a build that are known, and no others. */
import { bytes, count, duration, percent } from '../format'
import { build as text } from '../strings'
import type { Build } from '../wire'
import classes from './MetricTiles.module.css'

export function MetricTiles({ build }: { build: Build }) {
  const tiles = tilesOf(build)
  return (
    <dl className={classes.tiles}>
      {tiles.map(({ name, value, tone }) => (
        <div key={name} className={classes.tile} data-tone={tone}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

interface Tile {
  name: string
  value: string
  tone?: 'bad' | 'warn'
}

function tilesOf(build: Build): Tile[] {
  const { metrics } = build
  const tiles: Tile[] = [{ name: text.lines, value: count(build.logLines) }]
  if (metrics == null) return tiles
  if (metrics.warnings != null) {
    tiles.push({ name: text.warnings, value: count(metrics.warnings), tone: metrics.warnings > 0 ? 'warn' : undefined })
  }
  if (metrics.testsPassed != null || metrics.testsFailed != null) {
    const passed = metrics.testsPassed ?? 0
    const failed = metrics.testsFailed ?? 0
    const value = text.testsPassed(count(passed), count(passed + failed))
    tiles.push({ name: text.tests, value, tone: failed > 0 ? 'bad' : undefined })
  }
  if (metrics.cpuMs != null) tiles.push({ name: text.cpu, value: duration(metrics.cpuMs) })
  if (metrics.peakRssBytes != null) tiles.push({ name: text.memory, value: bytes(metrics.peakRssBytes) })
  const lookups = (metrics.cacheHits ?? 0) + (metrics.cacheMisses ?? 0)
  if (lookups > 0) tiles.push({ name: text.cache, value: percent((100 * (metrics.cacheHits ?? 0)) / lookups) })
  return tiles
}
