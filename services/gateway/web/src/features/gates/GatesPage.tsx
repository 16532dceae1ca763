/** Gates page: may the newest commit be released, or bumped to; if not, what hinders, and who is behind. */
import { Link } from 'react-router'
import { Chosen, Nothing } from '@/shared/address/Chosen'
import { toCommit } from '@/shared/address/links'
import { BuildLink, CommitLink } from '@/shared/address/ShortLinks'
import { useChoice } from '@/shared/address/useChoice'
import { age, shortSha } from '@/shared/format'
import { gates as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { Page, Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { GateAnswer, GateConfig, Lag } from '@/shared/wire'
import classes from './gates.module.css'
import { useGate, type Gate } from './queries'

const PARTS = ['project', 'branch'] as const
const COLUMNS = [text.config, text.answer, text.behind, text.owner, text.build]
const TONE: Record<GateAnswer['state'], string | undefined> = {
  open: layout.green,
  blocked: layout.red,
  waiting: layout.warned,
  unknown: layout.faint,
}

export function GatesPage() {
  const choice = useChoice({ parts: PARTS, isOfBranch: true })
  const { project, branch } = choice
  return (
    <Page title={text.title} lead={text.lead} tools={choice.selects}>
      <Chosen choice={choice} empty={<Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />}>
        {project !== undefined && branch !== undefined && (
          <>
            <OfGate gate="release" project={project} branch={branch} />
            <OfGate gate="bump" project={project} branch={branch} />
          </>
        )}
      </Chosen>
    </Page>
  )
}

function OfGate({ gate, project, branch }: { gate: Gate; project: string; branch: string }) {
  const read = useGate(gate, project, branch)
  return (
    <Section title={text.names[gate]}>
      <Answer read={read}>{(answer) => <Shown answer={answer} />}</Answer>
    </Section>
  )
}

function Shown({ answer }: { answer: GateAnswer }) {
  const { state, gate, commit, lastOpen, configs } = answer
  const hindering = configs.filter(({ hindrance }) => hindrance != null)
  return (
    <>
      <p className={layout.verdict} data-testid={`gate-${gate}`} data-state={state}>
        <span className={TONE[state]}>{text.states[state](hindering.length, configs.length)}</span>
        {commit != null && (
          <span className={layout.soft}>
            {text.at} <CommitLink sha={commit} />
          </span>
        )}
        {lastOpen != null && lastOpen !== commit && (
          <Link to={toCommit(lastOpen)} className={layout.link}>
            {text.lastOpen(shortSha(lastOpen))}
          </Link>
        )}
      </p>
      {configs.length === 0 ? (
        <p className={layout.faint}>{text.declare(gate)}</p>
      ) : (
        <Table className={classes.table} label={text.names[gate]} columns={COLUMNS}>
          {[...configs].sort(byUrgency).map((config) => (
            <Row key={config.config} config={config} />
          ))}
        </Table>
      )}
    </>
  )
}

/** What failed first, then who did not answer, by name. */
function byUrgency(a: GateConfig, b: GateConfig): number {
  const rank = ({ hindrance }: GateConfig) => (hindrance == null ? 2 : hindrance === 'failed' ? 0 : 1)
  return rank(a) - rank(b) || a.config.localeCompare(b.config)
}

function Row({ config: { config, owner, answer, hindrance, lag } }: { config: GateConfig }) {
  const tone = hindrance == null ? layout.green : hindrance === 'failed' ? layout.red : layout.warned
  return (
    <tr data-testid="gate-config" data-hindrance={hindrance ?? undefined}>
      <td>
        <strong>{config}</strong>
      </td>
      <td className={tone}>{hindrance == null ? text.passed : text.hindrances[hindrance]}</td>
      <td>
        <Behind lag={lag} />
      </td>
      <td className={layout.soft}>{owner}</td>
      <td>{answer.buildId != null && <BuildLink id={answer.buildId} />}</td>
    </tr>
  )
}

function Behind({ lag: { commit, commits, sinceAt, before } }: { lag: Lag }) {
  const now = useNow()
  if (commits === 0) return <span className={layout.faint}>{text.notBehind}</span>
  return (
    <>
      {text.commits(commits, commit != null)}
      {sinceAt != null && `, ${age(now - sinceAt)}`}
      {before != null && before !== commits && (
        <div className={layout.faint}>{before > commits ? text.catchesUp : text.fallsBehind}</div>
      )}
    </>
  )
}
