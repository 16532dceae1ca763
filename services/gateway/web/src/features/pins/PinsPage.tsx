/** Pins page: who is pinned to which commit of each upstream, how that goes, and what is safe to bump to. */
import { Link } from 'react-router'
import { Nothing } from '@/shared/address/Chosen'
import { toGrid } from '@/shared/address/links'
import { useChoice } from '@/shared/address/useChoice'
import { shortSha } from '@/shared/format'
import { pins as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { Unknown } from '@/shared/ui/Notice'
import { Page, Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { Downstream, PinMatrix } from '@/shared/wire'
import { usePins } from './queries'

const COLUMNS = [text.project, text.pinned, text.age, text.state, text.lastGreen, text.firstRed, text.alsoBroken]

const PARTS = ['project'] as const

export function PinsPage() {
  const choice = useChoice({ parts: PARTS })
  const { project } = choice
  return (
    <Page title={text.title} lead={text.lead} tools={choice.selects}>
      <Answer read={usePins()}>
        {({ items }) => {
          const shown = items.map((matrix) => ofProject(matrix, project)).filter((each) => each.downstreams.length > 0)
          if (shown.length === 0) return <Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />
          return shown.map((matrix) => <Upstream key={matrix.name} matrix={matrix} />)
        }}
      </Answer>
    </Page>
  )
}

function ofProject(matrix: PinMatrix, project: string | undefined): PinMatrix {
  if (project === undefined) return matrix
  return { ...matrix, downstreams: matrix.downstreams.filter((downstream) => downstream.project === project) }
}

function Upstream({ matrix }: { matrix: PinMatrix }) {
  const { safeToBumpTo } = matrix
  return (
    <Section
      title={matrix.name}
      aside={
        <span title={safeToBumpTo ?? undefined}>
          {safeToBumpTo == null ? text.notSafe : text.safe(shortSha(safeToBumpTo))}
        </span>
      }
    >
      <Table label={matrix.name} columns={COLUMNS}>
        {matrix.downstreams.map((downstream) => (
          <Row key={`${downstream.project}\n${downstream.branch}`} downstream={downstream} />
        ))}
      </Table>
      <Unknown sentences={matrix.unknown} />
    </Section>
  )
}

function Row({ downstream }: { downstream: Downstream }) {
  const { project, branch, pin, isGreen, ageDays, ageCommits, lastGreen, firstRed, suspectRange, alsoBroken } =
    downstream
  return (
    <tr data-testid="pin">
      <td>
        <Link to={toGrid(project, branch)} className={layout.name}>
          {project}
        </Link>
        <div className={layout.faint}>{branch}</div>
      </td>
      <td>
        <Sha sha={pin.commit} />
      </td>
      <td className={layout.nowrap}>
        {ageDays == null ? text.none : text.days(ageDays)}
        {ageCommits != null && ageCommits > 0 && <div className={layout.faint}>{text.behind(ageCommits)}</div>}
      </td>
      <td>
        <span className={isGreen ? layout.green : layout.red}>{isGreen ? text.green : text.red}</span>
        {pin.redConfigs.length > 0 && <div className={layout.faint}>{pin.redConfigs.join(', ')}</div>}
      </td>
      <td>
        <Sha sha={lastGreen?.commit} />
      </td>
      <td>
        <Sha sha={firstRed?.commit} />
        {suspectRange != null && (
          <div className={layout.faint}>{text.range(shortSha(suspectRange.green), shortSha(suspectRange.red))}</div>
        )}
      </td>
      <td className={layout.soft}>{alsoBroken.length > 0 ? alsoBroken.join(', ') : text.none}</td>
    </tr>
  )
}

function Sha({ sha }: { sha: string | undefined }) {
  return sha === undefined ? (
    <span className={layout.faint}>{text.none}</span>
  ) : (
    <code title={sha}>{shortSha(sha)}</code>
  )
}
