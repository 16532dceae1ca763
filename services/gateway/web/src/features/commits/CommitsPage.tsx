/** Commits page: find a commit by its sha, or those of a branch by author. */
import { useSearchParams } from 'react-router'
import { Chosen, Nothing } from '@/shared/address/Chosen'
import { CommitLink } from '@/shared/address/ShortLinks'
import { useChoice, type Choice } from '@/shared/address/useChoice'
import type { Params } from '@/shared/api/client'
import { isSha } from '@/shared/format/sha'
import { commit as text, grid, list } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Unknown } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { SearchField } from '@/shared/ui/SearchField'
import { Table } from '@/shared/ui/Table'
import type { CommitSummary } from '@/shared/wire'
import { useCommits } from './queries'

const PARTS = ['project', 'branch'] as const
const COLUMNS = [grid.commit, grid.subject, grid.author, list.branch, text.answers, grid.time]

export function CommitsPage() {
  const [given] = useSearchParams()
  const asked = (given.get('q') ?? '').trim()
  // A sha is looked for everywhere, or where the address narrows it to; else there is something to see at once.
  const choice = useChoice({ parts: PARTS, isOfBranch: !isSha(asked) })
  const { address, project, branch } = choice
  const query: Params = isSha(asked) ? { q: asked, project, branch } : { author: asked || undefined, project, branch }
  const isAsked = isSha(asked) || (project !== undefined && branch !== undefined)
  const read = useCommits({ ...query, limit: 100 }, isAsked)
  const search = (q: string | undefined) => {
    const isNewlySha = isSha((q ?? '').trim()) && !isSha(asked)
    address.change({ q, ...(isNewlySha && { project: undefined, branch: undefined }) }, true)
  }
  const found = (
    <Answer read={read}>{({ items, unknown }) => <Found choice={choice} commits={items} unknown={unknown} />}</Answer>
  )
  return (
    <Page
      title={text.search}
      lead={text.searchLead}
      tools={
        <>
          <SearchField
            className={layout.search}
            label={text.query}
            hint={text.queryHint}
            value={address.get('q')}
            onChange={search}
          />
          {choice.selects}
        </>
      }
    >
      {isSha(asked) ? (
        found
      ) : (
        <Chosen choice={choice} empty={<Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />}>
          {found}
        </Chosen>
      )}
    </Page>
  )
}

interface FoundProps {
  choice: Choice
  commits: readonly CommitSummary[]
  unknown: readonly string[] | undefined
}

function Found({ choice, commits, unknown }: FoundProps) {
  if (commits.length === 0) return <Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />
  return (
    <>
      <Table label={text.results} columns={COLUMNS}>
        {commits.map(({ project, branch, info, passed, failed, running, firstBuiltAt }) => (
          <tr key={`${project}\n${branch}\n${info.sha}`} data-testid="commit">
            <td>
              <CommitLink sha={info.sha} />
            </td>
            <td className={layout.words}>{info.subject}</td>
            <td className={layout.soft}>{info.author}</td>
            <td>
              {project} <span className={layout.faint}>{branch}</span>
            </td>
            <td className={failed > 0 ? layout.red : layout.soft}>{text.counts(passed, failed, running)}</td>
            <td className={layout.nowrap}>
              <Ago at={info.committedAt ?? firstBuiltAt} />
            </td>
          </tr>
        ))}
      </Table>
      <Unknown sentences={unknown} />
    </>
  )
}
