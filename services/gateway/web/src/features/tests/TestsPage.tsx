/** Tests page: which tests of a branch fail, which come out one way and the other, which take long. */
import { SegmentedControl } from '@mantine/core'
import { Link, useSearchParams } from 'react-router'
import { withChanges } from '@/shared/address/address'
import { PARTS } from '@/shared/address/choice'
import { Chosen } from '@/shared/address/Chosen'
import { useChoice } from '@/shared/address/useChoice'
import { count, percent, seconds } from '@/shared/format'
import { testHistory as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { Notice, Unknown } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { SearchField } from '@/shared/ui/SearchField'
import { Table } from '@/shared/ui/Table'
import type { TestStatistic } from '@/shared/wire'
import { OneTest } from './OneTest'
import { useTestList, type TestOrder } from './queries'
import classes from './tests.module.css'

const ORDERS: readonly TestOrder[] = ['failing', 'flaky', 'slowest', 'name']
const KNOWN = { sort: ORDERS }
const FIGURES = [text.runs, text.failed, text.passRate, text.flaky, text.median]

export function TestsPage() {
  const [params] = useSearchParams()
  const name = params.get('name')
  return name === null ? <Tests /> : <OneTest key={name} name={name} />
}

function Tests() {
  const choice = useChoice({ parts: PARTS, isOfBranch: true, known: KNOWN })
  const { address } = choice
  const sort = ORDERS.find((each) => each === address.get('sort')) ?? 'failing'
  const query = address.get('q')
  const read = useTestList(choice, sort, query)
  const empty = (
    <Notice title={text.emptyTitle}>
      <p>{text.empty}</p>
    </Notice>
  )
  return (
    <Page
      title={text.title}
      lead={text.lead}
      tools={
        <>
          {choice.selects}
          <SearchField label={text.search} value={query} onChange={(q) => address.change({ q }, true)} />
          <SegmentedControl
            size="xs"
            aria-label={text.order}
            data={ORDERS.map((value) => ({ value, label: text.orders[value] }))}
            value={sort}
            onChange={(value) => address.change({ sort: value })}
          />
        </>
      }
    >
      <Chosen choice={choice} empty={empty}>
        <Answer read={read}>
          {({ pages }) => (
            <>
              <Statistics tests={pages.flatMap((page) => page.items)} isAsked={query !== undefined} sort={sort} />
              <Unknown sentences={pages[0]?.unknown} />
            </>
          )}
        </Answer>
        <More read={read} label={text.more} />
      </Chosen>
    </Page>
  )
}

function Statistics({ tests, isAsked, sort }: { tests: readonly TestStatistic[]; isAsked: boolean; sort: TestOrder }) {
  if (tests.length === 0) {
    if (isAsked) return <Notice title={text.noneMatches} />
    const isCalm = sort === 'failing' || sort === 'flaky'
    return (
      <Notice title={isCalm ? text.calm[sort] : text.emptyTitle}>
        <p>{isCalm ? text.calmHint : text.empty}</p>
      </Notice>
    )
  }
  return (
    <Table label={text.title} columns={[text.name, text.config, ...FIGURES, text.lastFailure]} figures={FIGURES}>
      {tests.map((test) => (
        <Row key={`${test.name}\n${test.config}`} test={test} />
      ))}
    </Table>
  )
}

function Row({ test }: { test: TestStatistic }) {
  const [params] = useSearchParams()
  const { name, config, runs, failed, passRate, flakiness, flakyRuns, p50Seconds, lastFailure } = test
  return (
    <tr data-testid="test" data-outcome={test.lastOutcome}>
      <td className={classes.name}>
        <Link to={{ search: withChanges(params, { name }).toString() }}>
          <code>{name}</code>
        </Link>
      </td>
      <td className={layout.nowrap}>{config}</td>
      <td className={classes.figure}>{count(runs)}</td>
      <td className={classes.figure} data-tone={failed > 0 ? 'bad' : undefined}>
        {count(failed)}
      </td>
      <td className={classes.figure}>{passRate != null && percent(passRate * 100)}</td>
      <td className={classes.figure} data-tone={flakyRuns > 0 ? 'warn' : undefined}>
        {flakyRuns > 0 ? percent(Math.max(1, flakiness * 100)) : ''}
      </td>
      <td className={classes.figure}>{p50Seconds != null && seconds(p50Seconds)}</td>
      <td className={layout.nowrap}>
        {lastFailure != null && (
          <Link to={`/builds/${lastFailure.buildId}?tab=tests`} className={layout.link}>
            <Ago at={lastFailure.startedAt} />
          </Link>
        )}
      </td>
    </tr>
  )
}
