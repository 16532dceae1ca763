/** Steps tab: which steps of the build graph took long, and the chain of them that no machine makes shorter. */
import { Block } from '@/features/build/tab/Block'
import { changeOf } from '@/features/build/tab/change'
import tab from '@/features/build/tab/tabs.module.css'
import { count, duration } from '@/shared/format'
import { steps as text } from '@/shared/i18n'
import { AmountCell } from '@/shared/ui/AmountCell'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { Table } from '@/shared/ui/Table'
import { isFinal, type BuildDetail, type StepTime } from '@/shared/wire'
import classes from './StepsTab.module.css'

export function StepsTab({ build }: { build: BuildDetail }) {
  const { stepTimes, compileHotspots } = build
  if (stepTimes == null && compileHotspots.length === 0) {
    return (
      <div className={tab.page}>
        <Notice title={isFinal(build.status) ? text.emptyTitle : text.emptyRunning}>
          <p>{text.empty}</p>
        </Notice>
      </div>
    )
  }
  return (
    <div className={tab.page}>
      {stepTimes != null && stepTimes.criticalPath.length > 0 && (
        <CriticalPath build={build} path={stepTimes.criticalPath} />
      )}
      {stepTimes != null && (
        <Block title={text.slowest} aside={text.ofSteps(count(stepTimes.count))}>
          <StepTable label={text.slowest} steps={stepTimes.slowest} />
        </Block>
      )}
      {compileHotspots.length > 0 && (
        <Block title={text.hotspots} aside={text.hotspotsHint}>
          <StepTable label={text.hotspots} steps={compileHotspots} />
        </Block>
      )}
    </div>
  )
}

function CriticalPath({ build, path }: { build: BuildDetail; path: readonly StepTime[] }) {
  const total = build.metrics?.criticalPathMs ?? path.reduce((sum, { durationMs }) => sum + durationMs, 0)
  const longest = Math.max(...path.map(({ durationMs }) => durationMs))
  return (
    <Block
      title={text.criticalPath}
      aside={build.durationMs == null ? duration(total) : text.pathOfWhole(duration(total), duration(build.durationMs))}
    >
      <ol className={classes.path}>
        {path.map((step, at) => (
          <li
            key={at}
            style={{ flexGrow: Math.max(1, step.durationMs) }}
            data-longest={step.durationMs === longest}
            title={`${step.output}  ${duration(step.durationMs)}`}
          >
            <span>{step.output.split('/').at(-1)}</span>
            <b>{duration(step.durationMs)}</b>
          </li>
        ))}
      </ol>
      <p className={layout.faint}>{text.pathHint}</p>
    </Block>
  )
}

function StepTable({ label, steps }: { label: string; steps: readonly StepTime[] }) {
  const hasPrevious = steps.some(({ previousMs }) => previousMs != null)
  const figures = [text.took, ...(hasPrevious ? [text.before, text.change] : [])]
  const longest = Math.max(1, ...steps.map(({ durationMs }) => durationMs))
  return (
    <Table label={label} columns={[text.step, ...figures]} figures={figures}>
      {steps.map(({ output, durationMs, previousMs, target }) => {
        const change = changeOf(durationMs, previousMs)
        return (
          <tr key={output} data-testid="step">
            <td className={tab.name}>
              <code>{output}</code>
              {target != null && <span className={layout.faint}> {target}</span>}
            </td>
            <AmountCell value={durationMs} largest={longest} show={duration} />
            {hasPrevious && (
              <>
                <td className={tab.figure}>{previousMs == null ? '' : duration(previousMs)}</td>
                <td className={tab.figure} data-tone={change?.tone}>
                  {change?.text}
                </td>
              </>
            )}
          </tr>
        )
      })}
    </Table>
  )
}
