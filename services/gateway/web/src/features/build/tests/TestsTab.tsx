/** Tests tab: what each test of a build came to, how long it took, and where in the log it stands. */
import { SegmentedControl, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useRef } from 'react'
import { Link, useSearchParams } from 'react-router'
import tab from '@/features/build/tab/tabs.module.css'
import { toTest } from '@/shared/address/links'
import { count, seconds } from '@/shared/format'
import { keys, tests as text } from '@/shared/i18n'
import { useShortcuts } from '@/shared/keyboard/useShortcuts'
import { AmountCell } from '@/shared/ui/AmountCell'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { More } from '@/shared/ui/More'
import { Notice } from '@/shared/ui/Notice'
import { Table } from '@/shared/ui/Table'
import { isFinal, type Build, type TestPage, type TestResult } from '@/shared/wire'
import { useTests } from './queries'
import { BAD, filterOf, OUTCOMES, paramsOf, type Outcome, type TestFilter } from './test-filter'
import classes from './TestsTab.module.css'

const TYPING_MS = 250

export function TestsTab({ build }: { build: Build }) {
  const [params, setParams] = useSearchParams()
  const filter = filterOf(params)
  const read = useTests(build, filter)
  const change = (to: Partial<TestFilter>) => setParams(paramsOf({ ...filter, ...to }), { replace: true })
  return (
    <div className={tab.page}>
      <Answer read={read}>
        {({ pages }) => {
          const [first] = pages
          if (first === undefined || Object.keys(first.counts).length === 0) return <NoTests build={build} />
          return (
            <>
              <Tools filter={filter} counts={first.counts} totalSeconds={first.totalSeconds} onChange={change} />
              <Results build={build} items={pages.flatMap((page) => page.items)} />
              <More read={read} label={text.more} />
            </>
          )
        }}
      </Answer>
    </div>
  )
}

function NoTests({ build }: { build: Build }) {
  return (
    <Notice title={isFinal(build.status) ? text.emptyTitle : text.emptyRunning}>
      <p>{text.empty}</p>
    </Notice>
  )
}

interface ToolsProps {
  filter: TestFilter
  counts: TestPage['counts']
  totalSeconds: number | null | undefined
  onChange: (to: Partial<TestFilter>) => void
}

function Tools({ filter, counts, totalSeconds, onChange }: ToolsProps) {
  const field = useRef<HTMLInputElement>(null)
  const apply = useDebouncedCallback((value: string) => onChange({ text: value || undefined }), TYPING_MS)
  useShortcuts([{ keys: '/', title: keys.search, run: () => field.current?.select() }])
  const total = Object.values(counts).reduce((sum, each) => sum + each, 0)
  const isOnly = (outcomes: readonly Outcome[]) => outcomes.join() === filter.outcomes.join()
  return (
    <div className={tab.tools}>
      <TextInput
        ref={field}
        size="xs"
        aria-label={text.search}
        placeholder={text.search}
        defaultValue={filter.text}
        leftSection={<IconSearch size={15} stroke={1.8} />}
        onChange={(event) => apply(event.currentTarget.value)}
      />
      <div className={classes.chips} role="group" aria-label={text.outcome}>
        <Chip label={text.all} total={total} isOn={isOnly([])} onClick={() => onChange({ outcomes: [] })} />
        {OUTCOMES.filter((outcome) => counts[outcome]).map((outcome) => (
          <Chip
            key={outcome}
            label={text.outcomes[outcome]}
            tone={toneOf(outcome)}
            total={counts[outcome] ?? 0}
            isOn={filter.outcomes.includes(outcome)}
            onClick={() => onChange({ outcomes: isOnly([outcome]) ? [] : [outcome] })}
          />
        ))}
      </div>
      <SegmentedControl
        size="xs"
        aria-label={text.sort}
        data={[
          { value: 'order', label: text.sorts.order },
          { value: 'slowest', label: text.sorts.slowest },
        ]}
        value={filter.sort}
        onChange={(sort) => onChange({ sort: sort === 'slowest' ? 'slowest' : 'order' })}
      />
      {totalSeconds != null && <span className={layout.faint}>{text.total(seconds(totalSeconds))}</span>}
    </div>
  )
}

interface ChipProps {
  label: string
  total: number
  tone?: string
  isOn: boolean
  onClick: () => void
}

function Chip({ label, total, tone, isOn, onClick }: ChipProps) {
  return (
    <button type="button" className={classes.chip} data-tone={tone} aria-pressed={isOn} onClick={onClick}>
      {label} <b>{count(total)}</b>
    </button>
  )
}

function Results({ build, items }: { build: Build; items: readonly TestResult[] }) {
  if (items.length === 0) return <Notice title={text.noneMatches} />
  const slowest = Math.max(...items.map((item) => item.seconds ?? 0))
  return (
    <Table label={text.title} columns={[text.outcome, text.name, text.time, text.line]} figures={[text.time]}>
      {items.map((item, at) => (
        <tr key={`${item.name} ${at}`} data-testid="test-result" data-outcome={item.outcome}>
          <td className={layout.nowrap}>
            <span className={classes.outcome} data-tone={toneOf(item.outcome)}>
              {text.outcomes[item.outcome]}
            </span>
          </td>
          <td className={tab.name}>
            <Link to={toTest(item.name, build)}>
              <code>{item.name}</code>
            </Link>
            {item.tool && <span className={layout.chip}>{item.tool}</span>}
          </td>
          <AmountCell value={item.seconds} largest={slowest} show={seconds} />
          <td className={layout.nowrap}>
            {item.line != null && (
              <Link to={{ search: '', hash: `#L${item.line}` }} className={layout.link}>
                {count(item.line)}
              </Link>
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}

function toneOf(outcome: Outcome): 'bad' | 'warn' | 'good' | undefined {
  if (BAD.includes(outcome)) return 'bad'
  if (outcome === 'flaky') return 'warn'
  return outcome === 'passed' ? 'good' : undefined
}
