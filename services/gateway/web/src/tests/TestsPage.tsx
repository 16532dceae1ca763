/** Tests page: which tests of a branch fail, which come out one way and the other, which take long. */
import { SegmentedControl, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useRef } from 'react'
import { Link, useSearchParams } from 'react-router'
import { Ago } from '../builds/Elapsed'
import { count, percent, seconds } from '../format'
import { useBranch, withParam } from '../history/useBranch'
import { useShortcuts } from '../keyboard/useShortcuts'
import { Answer } from '../layout/Answer'
import layout from '../layout/layout.module.css'
import { More } from '../layout/More'
import { Notice, Unknown } from '../layout/Notice'
import { Page } from '../layout/Page'
import { Table } from '../layout/Table'
import { keys, testHistory as text } from '../strings'
import type { TestTally } from '../wire'
import { OneTest } from './OneTest'
import { useTestList, type TestOrder } from './queries'
import classes from './tests.module.css'

const ORDERS: readonly TestOrder[] = ['failing', 'flaky', 'slowest', 'name']
const FIGURES = [text.runs, text.failed, text.passRate, text.flaky, text.median]
const TYPING_MS = 250

export function TestsPage() {
  const [params] = useSearchParams()
  const name = params.get('name')
  return name === null ? <Tests /> : <OneTest key={name} name={name} />
}

function Tests() {
  const [params, setParams] = useSearchParams()
  const { project, branch, select } = useBranch()
  const sort = ORDERS.find((each) => each === params.get('sort')) ?? 'failing'
  const query = params.get('q') ?? undefined
  const read = useTestList(project, branch, sort, query)
  const change = (param: string, value: string) =>
    setParams((now) => withParam(new URLSearchParams(now), param, value), { replace: true })
  const field = useRef<HTMLInputElement>(null)
  const search = useDebouncedCallback((value: string) => change('q', value), TYPING_MS)
  useShortcuts([{ keys: '/', title: keys.search, run: () => field.current?.select() }])
  return (
    <Page
      title={text.title}
      lead={text.lead}
      tools={
        <>
          {select}
          <TextInput
            ref={field}
            size="xs"
            aria-label={text.search}
            placeholder={text.search}
            defaultValue={query}
            leftSection={<IconSearch size={15} stroke={1.8} />}
            onChange={(event) => search(event.currentTarget.value)}
          />
          <SegmentedControl
            size="xs"
            aria-label={text.order}
            data={ORDERS.map((value) => ({ value, label: text.orders[value] }))}
            value={sort}
            onChange={(value) => change('sort', value)}
          />
        </>
      }
    >
      {project === undefined ? (
        <Notice title={text.emptyTitle}>
          <p>{text.empty}</p>
        </Notice>
      ) : (
        <Answer read={read}>
          {({ pages }) => (
            <>
              <Tallies tests={pages.flatMap((page) => page.items)} isAsked={query !== undefined} sort={sort} />
              <Unknown sentences={pages[0]?.unknown} />
            </>
          )}
        </Answer>
      )}
      <More read={read} label={text.more} />
    </Page>
  )
}

function Tallies({ tests, isAsked, sort }: { tests: readonly TestTally[]; isAsked: boolean; sort: TestOrder }) {
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

function Row({ test }: { test: TestTally }) {
  const [params] = useSearchParams()
  const { name, config, runs, failed, passRate, flakiness, flakyRuns, p50Seconds, lastFailure } = test
  return (
    <tr data-testid="test" data-outcome={test.lastOutcome}>
      <td className={classes.name}>
        <Link to={{ search: withParam(new URLSearchParams(params), 'name', name).toString() }}>
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
            <Ago at={lastFailure.startedMs} />
          </Link>
        )}
      </td>
    </tr>
  )
}
