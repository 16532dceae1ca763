/** Times: how long two builds and their parts took, and the other numbers of both. */
import { Block } from '@/features/build/tab/Block'
import type { Change } from '@/features/build/tab/change'
import tab from '@/features/build/tab/tabs.module.css'
import { bytes, count, duration, percent } from '@/shared/format'
import { compare as text, phaseName } from '@/shared/i18n'
import { Table } from '@/shared/ui/Table'
import type { Build, BuildDetail } from '@/shared/wire'
import { phaseTimes, stepTimes, timeChange, wholeChange, type Pair } from './comparison'

const SHOWN_STEPS = 10
const FIGURES = [text.here, text.there, text.change]

export function Times({ here, there }: { here: BuildDetail; there: BuildDetail }) {
  const phases = phaseTimes(here, there).map((pair) => ({
    ...pair,
    name: phaseName[pair.name as keyof typeof phaseName],
  }))
  const steps = stepTimes(here, there).slice(0, SHOWN_STEPS)
  const [left, right] = [here.metrics ?? {}, there.metrics ?? {}]
  const whole = pair(text.duration, here.durationMs, there.durationMs)
  const cpu = pair(text.cpu, left.cpuMs, right.cpuMs)
  const memory = pair(text.memory, left.peakRssBytes, right.peakRssBytes)
  const counts = [
    pair(text.steps, left.stepsDone, right.stepsDone),
    pair(text.warnings, left.warnings, right.warnings),
    pair(text.lines, here.logLines, there.logLines),
  ]
  return (
    <Block title={text.times}>
      <Table label={text.times} columns={['', ...FIGURES]} figures={FIGURES}>
        {[whole, ...phases, cpu].map((each) => (
          <PairRow key={each.name} pair={each} show={duration} change={wholeChange(each, here, there)} />
        ))}
        <PairRow pair={memory} show={bytes} change={undefined} />
        <PairRow pair={pair(text.cache, cacheOf(here), cacheOf(there))} show={percent} change={undefined} />
        {counts.map((each) => (
          <PairRow key={each.name} pair={each} show={count} change={undefined} />
        ))}
        {steps.map((each) => (
          <PairRow key={each.name} pair={each} show={duration} change={timeChange(each)} isCode />
        ))}
      </Table>
    </Block>
  )
}

interface PairProps {
  pair: Pair
  show: (value: number) => string
  change: Change | undefined
  isCode?: boolean
}

function PairRow({ pair: { name, here, there }, show, change, isCode }: PairProps) {
  if (here === undefined && there === undefined) return null
  return (
    <tr>
      <td className={tab.name}>{isCode ? <code>{name}</code> : name}</td>
      <td className={tab.figure}>{here === undefined ? text.unknown : show(here)}</td>
      <td className={tab.figure}>{there === undefined ? text.unknown : show(there)}</td>
      <td className={tab.figure} data-tone={change?.tone}>
        {change?.text}
      </td>
    </tr>
  )
}

function pair(name: string, here: number | null | undefined, there: number | null | undefined): Pair {
  return { name, here: here ?? undefined, there: there ?? undefined }
}

function cacheOf({ metrics }: Build): number | undefined {
  const lookups = (metrics?.cacheHits ?? 0) + (metrics?.cacheMisses ?? 0)
  return lookups === 0 ? undefined : (100 * (metrics?.cacheHits ?? 0)) / lookups
}
