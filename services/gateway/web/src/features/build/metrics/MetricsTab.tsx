/** Metrics tab: the numbers of a build, in groups, each with what makes it mean something. */
import type { ReactNode } from 'react'
import tab from '@/features/build/tab/tabs.module.css'
import { bytes, count, duration, percent } from '@/shared/format'
import { metrics as text } from '@/shared/i18n'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { isFinal, type BuildDetail } from '@/shared/wire'
import classes from './MetricsTab.module.css'

export function MetricsTab({ build }: { build: BuildDetail }) {
  const known = build.metrics ?? {}
  const wall = known.wallMs ?? build.durationMs
  const lookups = (known.cacheHits ?? 0) + (known.cacheMisses ?? 0)
  const tests = [
    { name: text.passed, value: known.testsPassed ?? 0, tone: 'good' },
    { name: text.failed, value: known.testsFailed ?? 0, tone: 'bad' },
    { name: text.skipped, value: known.testsSkipped ?? 0, tone: 'idle' },
  ]
  const ran = tests.reduce((sum, { value }) => sum + value, 0)
  const tiles = [
    wall != null && (
      <Tile key="wall" name={text.wall} value={duration(wall)}>
        {known.criticalPathMs != null && text.critical(duration(known.criticalPathMs))}
      </Tile>
    ),
    known.cpuMs != null && (
      <Tile key="cpu" name={text.cpu} value={duration(known.cpuMs)}>
        {wall ? text.busy((known.cpuMs / wall).toFixed(1), build.host?.cores) : undefined}
      </Tile>
    ),
    known.peakRssBytes != null && (
      <Tile key="memory" name={text.memory} value={bytes(known.peakRssBytes)}>
        {known.largestProcessRssBytes != null && <p>{text.largest(bytes(known.largestProcessRssBytes))}</p>}
        {build.host?.memoryBytes != null && (
          <Share
            label={text.ofMachine(bytes(build.host.memoryBytes))}
            parts={[{ name: text.memory, value: known.peakRssBytes, tone: 'plain' }]}
            whole={build.host.memoryBytes}
          />
        )}
      </Tile>
    ),
    known.diskBytes != null && (
      <Tile key="disk" name={text.disk} value={bytes(known.diskBytes)}>
        {text.diskHint}
      </Tile>
    ),
    lookups > 0 && (
      <Tile key="cache" name={text.cache} value={percent((100 * (known.cacheHits ?? 0)) / lookups)}>
        <Share
          label={text.lookups(count(known.cacheHits ?? 0), count(lookups))}
          parts={[{ name: text.cache, value: known.cacheHits ?? 0, tone: 'good' }]}
          whole={lookups}
        />
      </Tile>
    ),
    known.stepsTotal != null && (
      <Tile key="steps" name={text.steps} value={count(known.stepsDone ?? known.stepsTotal)}>
        {known.stepsDone != null && known.stepsDone < known.stepsTotal
          ? text.ofSteps(count(known.stepsTotal))
          : undefined}
      </Tile>
    ),
    known.warnings != null && (
      <Tile
        key="warnings"
        name={text.warnings}
        value={count(known.warnings)}
        tone={known.warnings > 0 ? 'warn' : undefined}
      />
    ),
    ran > 0 && (
      <Tile key="tests" name={text.tests} value={count(ran)} tone={(known.testsFailed ?? 0) > 0 ? 'bad' : undefined}>
        <Share
          label={tests
            .filter(({ value }) => value > 0)
            .map(({ name, value }) => `${count(value)} ${name}`)
            .join(', ')}
          parts={tests}
          whole={ran}
        />
      </Tile>
    ),
    build.logLines > 0 && (
      <Tile key="log" name={text.log} value={bytes(build.logBytes)}>
        {text.lines(count(build.logLines))}
      </Tile>
    ),
  ].filter(Boolean)
  return (
    <div className={tab.page}>
      {tiles.length > 0 && <dl className={classes.tiles}>{tiles}</dl>}
      {build.metrics == null && (
        <Notice title={isFinal(build.status) ? text.emptyTitle : text.emptyRunning}>
          <p>{text.empty}</p>
        </Notice>
      )}
    </div>
  )
}

function Tile({ name, value, tone, children }: { name: string; value: string; tone?: string; children?: ReactNode }) {
  return (
    <div className={classes.tile} data-tone={tone}>
      <dt>{name}</dt>
      <dd className={classes.value}>{value}</dd>
      {children !== undefined && children !== false && <dd className={layout.faint}>{children}</dd>}
    </div>
  )
}

interface ShareProps {
  label: string
  parts: readonly { name: string; value: number; tone: string }[]
  whole: number
}

/** Parts of a whole as a bar; its words state the same. */
function Share({ label, parts, whole }: ShareProps) {
  return (
    <>
      <span className={classes.share} aria-hidden="true">
        {parts
          .filter(({ value }) => value > 0)
          .map(({ name, value, tone }) => (
            <i key={name} data-tone={tone} style={{ width: `${Math.min(100, (100 * value) / whole)}%` }} />
          ))}
      </span>
      {label}
    </>
  )
}
