/** Compare tab: this build beside another one: times, facts, failures and tests that differ. */
import { Select } from '@mantine/core'
import type { ReactNode } from 'react'
import { useSearchParams } from 'react-router'
import { useFailures } from '@/features/build/failures/queries'
import tab from '@/features/build/tab/tabs.module.css'
import { useTests } from '@/features/build/tests/queries'
import { BAD } from '@/features/build/tests/test-filter'
import { BuildLink } from '@/shared/address/ShortLinks'
import { useBuildDetail } from '@/shared/api/queries/builds'
import { ago, instant, shortSha } from '@/shared/format'
import { shortId } from '@/shared/format/build-id'
import { beganAt } from '@/shared/format/timing'
import { compare as text, statusName } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { statusOf } from '@/shared/format/status'
import { StatusGlyph } from '@/shared/ui/StatusGlyph'
import type { Build, BuildDetail } from '@/shared/wire'
import classes from './CompareTab.module.css'
import { baselineOf, differences, factsOf, failureSides, pinsOf, testSides } from './comparison'
import { Facts, FailureLine, SidesBlock } from './Differences'
import { NewLines } from './NewLines'
import { useSiblings } from './queries'
import { Times } from './Times'

const BAD_TESTS = { outcomes: BAD, text: undefined, sort: 'order' } as const

export function CompareTab({ build }: { build: BuildDetail }) {
  const [params, setParams] = useSearchParams()
  const siblings = useSiblings(build)
  const chosen = params.get('compare') || baselineOf(build, siblings.data?.items ?? [])?.id
  const choose = (id: string | null) => setParams(id === null ? { tab: 'compare' } : { compare: id }, { replace: true })
  const others = (siblings.data?.items ?? []).filter(({ id }) => id !== build.id)
  return (
    <div className={tab.page}>
      <NewLines build={build} />
      <Answer read={siblings}>
        {() =>
          chosen === undefined ? (
            <Notice title={text.emptyTitle}>
              <p>{text.empty}</p>
            </Notice>
          ) : (
            <Other build={build} id={chosen} picker={<Picker others={others} chosen={chosen} onChoose={choose} />} />
          )
        }
      </Answer>
    </div>
  )
}

interface PickerProps {
  others: readonly Build[]
  chosen: string
  onChoose: (id: string | null) => void
}

function Picker({ others, chosen, onChoose }: PickerProps) {
  const now = useNow()
  const data = others.map((other) => ({
    value: other.id,
    label: [
      statusName[other.status],
      other.commit && shortSha(other.commit),
      other.startedAt != null && ago(now - (beganAt(other) ?? now)),
      shortId(other.id),
    ]
      .filter(Boolean)
      .join('  ·  '),
  }))
  if (!others.some(({ id }) => id === chosen)) data.push({ value: chosen, label: shortId(chosen) })
  return (
    <Select
      size="xs"
      aria-label={text.with}
      data={data}
      value={chosen}
      onChange={onChoose}
      searchable
      w={360}
      maw="100%"
    />
  )
}

function Other({ build, id, picker }: { build: BuildDetail; id: string; picker: ReactNode }) {
  const read = useBuildDetail(id)
  return (
    <>
      <div className={tab.tools}>
        <span className={layout.soft}>{text.with}</span>
        {picker}
      </div>
      <Answer read={read}>{(other) => <Compared here={build} there={other} />}</Answer>
    </>
  )
}

function Compared({ here, there }: { here: BuildDetail; there: BuildDetail }) {
  const failures = [useFailures(here), useFailures(there)]
  const tests = [useTests(here, BAD_TESTS), useTests(there, BAD_TESTS)]
  const [hereFailed, thereFailed] = failures.map(({ data }) => data?.items)
  const [hereTests, thereTests] = tests.map(({ data }) => data?.pages[0]?.items)
  const broken = hereFailed && thereFailed && failureSides(hereFailed, thereFailed)
  const failing = hereTests && thereTests && testSides(hereTests, thereTests)
  return (
    <div className={tab.compared}>
      <Heads here={here} there={there} />
      {broken !== undefined && (
        <SidesBlock title={text.failures} sides={broken} empty={text.noFailures}>
          {(failure) => <FailureLine failure={failure} />}
        </SidesBlock>
      )}
      {failing !== undefined && failing.onlyHere.length + failing.onlyThere.length + failing.both.length > 0 && (
        <SidesBlock title={text.tests} sides={failing} empty="">
          {({ name }) => <code>{name}</code>}
        </SidesBlock>
      )}
      <Times here={here} there={there} />
      <Facts title={text.facts} found={differences(factsOf(here), factsOf(there))} />
      <Facts title={text.pins} found={differences(pinsOf(here), pinsOf(there))} />
      <Facts title={text.tools} found={differences(here.tools, there.tools)} />
      <Facts title={text.environment} found={differences(here.environment, there.environment)} />
    </div>
  )
}

function Heads({ here, there }: { here: BuildDetail; there: BuildDetail }) {
  return (
    <div className={classes.heads}>
      <Head name={text.here} build={here} />
      <Head name={text.there} build={there} />
    </div>
  )
}

function Head({ name, build }: { name: string; build: Build }) {
  return (
    <div>
      <span className={layout.faint}>{name}</span>
      <p>
        <StatusGlyph status={statusOf(build)} size={16} />
        <BuildLink id={build.id} />
        <strong>{statusName[build.status]}</strong>
        {build.commit && <code>{shortSha(build.commit)}</code>}
        <span className={layout.soft}>{build.commitSubject}</span>
      </p>
      {build.startedAt != null && <span className={layout.faint}>{instant(build.startedAt)}</span>}
    </div>
  )
}
