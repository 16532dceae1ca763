/** Commit page: did this commit break something? Every configuration of every branch that knows it answers. */
import { Link, useParams } from 'react-router'
import { Nothing } from '@/shared/address/Chosen'
import { toCommit, toFailure, toGrid, toSearch } from '@/shared/address/links'
import { BuildLink } from '@/shared/address/ShortLinks'
import { useChoice } from '@/shared/address/useChoice'
import { ApiError } from '@/shared/api/client'
import { age, instant, shortSha, timeOfDay } from '@/shared/format'
import { evidenceOf, verdictOf } from '@/shared/format/verdict'
import { commit as text, grid as gridText } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Unknown } from '@/shared/ui/Notice'
import { Page, Section } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { CommitOnBranch, ConfigAnswer } from '@/shared/wire'
import { useCommit } from './queries'
import { WhatBroke } from './WhatBroke'

const COLUMNS = [text.config, text.answer, text.why, text.build]
/** In the order in which they ask for attention. */
const ANSWER_CLASS: Record<ConfigAnswer['answer'], string | undefined> = {
  failed: layout.red,
  inconclusive: layout.warned,
  running: layout.running,
  will_include: layout.soft,
  passed: layout.green,
  not_built: layout.faint,
}

const PARTS = ['project'] as const

export function CommitPage() {
  const { sha = '' } = useParams()
  const choice = useChoice({ parts: PARTS })
  const read = useCommit(sha, choice.project)
  const [first] = read.data?.items ?? []
  const isMissing = read.error instanceof ApiError && read.error.isMissing
  return (
    <Page
      title={text.title(shortSha(read.data?.sha ?? sha))}
      lead={first?.info.subject ?? undefined}
      tools={choice.selects}
    >
      {isMissing ? (
        <>
          <Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />
          <Link to="/c" className={layout.link}>
            {text.searchLead}
          </Link>
        </>
      ) : (
        <Answer read={read}>
          {({ items }) => items.map((item) => <Branch key={`${item.project}\n${item.branch}`} item={item} />)}
        </Answer>
      )}
    </Page>
  )
}

function Branch({ item }: { item: CommitOnBranch }) {
  const { project, branch, info, configs } = item
  return (
    <Section
      title={`${project} ${branch}`}
      aside={
        <>
          {info.author} {info.committedAt != null && <Ago at={info.committedAt} />}
        </>
      }
    >
      <p className={layout.verdict} data-testid="commit-verdict">
        <Verdict configs={configs} />
        <Link to={toGrid(project, branch)} className={layout.link}>
          {text.inGrid}
        </Link>
        <Link to={toSearch({ project, branch, commit: info.sha })} className={layout.link}>
          {text.inLogs}
        </Link>
      </p>
      <WhatBroke configs={configs} />
      <Table label={text.answers} columns={COLUMNS}>
        {[...configs].sort(byUrgency).map((answer) => (
          <Row key={answer.config} answer={answer} />
        ))}
      </Table>
      <Unknown sentences={item.unknown} />
    </Section>
  )
}

/** In one sentence; what is not known yet never reads as passed. */
function Verdict({ configs }: { configs: readonly ConfigAnswer[] }) {
  const failed = configs.filter(({ answer }) => answer === 'failed')
  if (failed.length > 0) {
    const fresh = failed.filter(({ judged }) => judged != null && verdictOf(judged) === 'new').length
    return (
      <span className={layout.red}>
        {text.failed(failed.length)} {text.fresh(fresh)}
      </span>
    )
  }
  const isPassed = configs.length > 0 && configs.every(({ answer }) => answer === 'passed')
  return isPassed ? (
    <span className={layout.green}>{text.passed}</span>
  ) : (
    <span className={layout.warned}>{text.open}</span>
  )
}

function Row({ answer }: { answer: ConfigAnswer }) {
  const { config, judged, signature, buildId } = answer
  return (
    <tr data-testid="commit-config" data-answer={answer.answer}>
      <td>
        <strong>{config}</strong>
        {answer.state !== 'production' && <span className={layout.faint}> {gridText.states[answer.state]}</span>}
      </td>
      <td className={ANSWER_CLASS[answer.answer]}>
        {text.answerName[answer.answer]}
        {answer.bothWays && <div className={layout.faint}>{text.bothWays}</div>}
        {answer.expectedAt != null && <Expected at={answer.expectedAt} isNext={answer.answer === 'will_include'} />}
      </td>
      <td className={layout.words}>
        {judged != null && <span title={evidenceOf(judged)}>{text.verdict[verdictOf(judged)]}</span>}
        {signature != null && (
          <div>
            <Link to={toFailure(signature)} className={layout.link}>
              {text.likeThis}
            </Link>
          </div>
        )}
      </td>
      <td>
        {buildId != null && <BuildLink id={buildId} />}
        {!answer.exact && answer.commit != null && (
          <div className={layout.faint}>
            <Link to={toCommit(answer.commit)}>{text.notExact(shortSha(answer.commit))}</Link>
          </div>
        )}
      </td>
    </tr>
  )
}

const URGENCY = Object.keys(ANSWER_CLASS)

/** What failed first, what was not built last. */
function byUrgency(a: ConfigAnswer, b: ConfigAnswer): number {
  return URGENCY.indexOf(a.answer) - URGENCY.indexOf(b.answer) || a.config.localeCompare(b.config)
}

function Expected({ at, isNext }: { at: number; isNext: boolean }) {
  const left = at - useNow()
  return left > 0 ? (
    <div className={layout.faint} title={instant(at)}>
      {isNext ? text.includes : text.ends} {timeOfDay(at)}, {text.inAbout(age(left))}
    </div>
  ) : null
}
