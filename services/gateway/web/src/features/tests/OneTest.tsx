/** One test: how it went in each build that ran it, configuration by configuration. */
import { Link } from 'react-router'
import { withChanges } from '@/shared/address/address'
import { PARTS } from '@/shared/address/choice'
import { Chosen } from '@/shared/address/Chosen'
import { BuildLink, CommitLink } from '@/shared/address/ShortLinks'
import { useChoice } from '@/shared/address/useChoice'
import { ApiError } from '@/shared/api/client'
import { instant, seconds, shortSha } from '@/shared/format'
import { testHistory as text, tests } from '@/shared/i18n'
import { AmountCell } from '@/shared/ui/AmountCell'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { Page, Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { TestRun } from '@/shared/wire'
import { useTestHistory } from './queries'
import classes from './tests.module.css'

/** Runs named in the table; the strip above it shows all. */
const LISTED = 25
const SYMBOLS: Record<TestRun['outcome'], string> = {
  passed: 'P',
  failed: 'F',
  skipped: 'S',
  xfailed: 'X',
  xpassed: 'U',
  timed_out: 'T',
  crashed: 'C',
  flaky: 'K',
  unresolved: '?',
}

export function OneTest({ name }: { name: string }) {
  const choice = useChoice({ parts: PARTS, isOfBranch: true })
  const read = useTestHistory(choice, name)
  const isMissing = read.error instanceof ApiError && read.error.isMissing
  const all = { search: withChanges(choice.address.params, { name: undefined }).toString() }
  const missing = (
    <Notice title={text.missing} isAlert>
      <p>{text.missingHint}</p>
    </Notice>
  )
  return (
    <Page
      title={text.one}
      lead={<code>{name}</code>}
      tools={
        <>
          {choice.selects}
          <Link to={all} className={classes.all}>
            {text.all}
          </Link>
        </>
      }
    >
      <Chosen choice={choice} empty={missing}>
        {isMissing ? (
          missing
        ) : (
          <Answer read={read}>
            {({ items }) =>
              items.map(({ config, runs }) => (
                <Section key={config} title={config} aside={text.builds(runs.length)}>
                  <Strip runs={runs} />
                  <Runs config={config} runs={runs.slice(0, LISTED)} />
                </Section>
              ))
            }
          </Answer>
        )}
      </Chosen>
    </Page>
  )
}

/** Every run as a symbol and a colour, the oldest first. */
function Strip({ runs }: { runs: readonly TestRun[] }) {
  return (
    <div className={classes.strip}>
      {runs.toReversed().map((run) => (
        <Link
          key={run.buildId}
          to={`/builds/${run.buildId}?tab=tests`}
          data-outcome={run.outcome}
          aria-label={`${tests.outcomes[run.outcome]}, ${instant(run.startedAt)}`}
          title={`${tests.outcomes[run.outcome]}  ${run.commit == null ? '' : shortSha(run.commit)}  ${instant(run.startedAt)}`}
        >
          {SYMBOLS[run.outcome]}
        </Link>
      ))}
    </div>
  )
}

function Runs({ config, runs }: { config: string; runs: readonly TestRun[] }) {
  const longest = Math.max(0, ...runs.map((run) => run.seconds ?? 0))
  return (
    <Table
      label={text.runsOf(config)}
      columns={[tests.outcome, text.build, text.commit, text.started, tests.time]}
      figures={[tests.time]}
    >
      {runs.map((run) => (
        <tr key={run.buildId} data-testid="test-run" data-outcome={run.outcome}>
          <td className={classes.outcome} data-outcome={run.outcome}>
            {tests.outcomes[run.outcome]}
          </td>
          <td>
            <BuildLink id={run.buildId} search="?tab=tests" />
          </td>
          <td>{run.commit != null && <CommitLink sha={run.commit} />}</td>
          <td className={layout.nowrap}>
            <Ago at={run.startedAt} />
          </td>
          <AmountCell value={run.seconds} largest={longest} show={seconds} />
        </tr>
      ))}
    </Table>
  )
}
