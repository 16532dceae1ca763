/** Commits page: find a commit by its sha, or those of a branch by author. */
import { Select, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useRef, useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import type { Params } from '../api/client'
import { Ago } from '../builds/Elapsed'
import { shortSha } from '../format'
import { toCommit } from '../history/places'
import { useCommits, useSummary } from '../history/queries'
import { useShortcuts } from '../keyboard/useShortcuts'
import { Answer } from '../layout/Answer'
import layout from '../layout/layout.module.css'
import { Notice, Unknown } from '../layout/Notice'
import { Page } from '../layout/Page'
import { Table } from '../layout/Table'
import { commit as text, grid, keys, list } from '../strings'
import type { CommitSummary } from '../wire'
import { isSha } from './sha'

const TYPING_MS = 250
const COLUMNS = [grid.commit, grid.subject, grid.author, list.branch, text.answers, grid.time]

export function CommitsPage() {
  const [params, setParams] = useSearchParams()
  const [typed, setTyped] = useState(params.get('q') ?? '')
  const search = useRef<HTMLInputElement>(null)
  const lanes = useSummary().data?.items ?? []
  const asked = params.get('q') ?? ''
  const projects = [...new Set(lanes.map((lane) => lane.project))].sort()
  // A sha is looked for everywhere; without one there is something to see at once.
  const project = params.get('project') ?? (isSha(asked) ? undefined : projects[0])
  const branch = params.get('branch') ?? undefined
  const query: Params = isSha(asked) ? { q: asked, project, branch } : { author: asked || undefined, project, branch }
  const isAsked = isSha(asked) || project !== undefined
  const read = useCommits({ ...query, limit: 100 }, isAsked)
  useShortcuts([{ keys: '/', title: keys.search, run: () => search.current?.focus() }])

  const change = (changes: Record<string, string | null>) =>
    setParams(
      (now) => {
        const next = { ...Object.fromEntries(now), ...changes }
        return Object.entries(next).filter((entry): entry is [string, string] => !!entry[1])
      },
      { replace: true },
    )
  const apply = useDebouncedCallback((value: string) => change({ q: value }), TYPING_MS)

  return (
    <Page
      title={text.search}
      lead={text.searchLead}
      tools={
        <>
          <TextInput
            ref={search}
            className={layout.search}
            size="xs"
            aria-label={text.query}
            placeholder={text.queryHint}
            leftSection={<IconSearch size={15} stroke={1.8} />}
            value={typed}
            onChange={(event) => {
              setTyped(event.currentTarget.value)
              apply(event.currentTarget.value.trim())
            }}
          />
          <Select
            size="xs"
            aria-label={list.project}
            placeholder={list.anyProject}
            data={projects}
            value={project ?? null}
            onChange={(value) => change({ project: value, branch: null })}
            clearable
          />
          <Select
            size="xs"
            aria-label={list.branch}
            placeholder={text.anyBranch}
            data={[...new Set(lanes.filter((lane) => lane.project === project).map((lane) => lane.branch))]}
            value={branch ?? null}
            onChange={(value) => change({ branch: value })}
            disabled={project === undefined}
            clearable
          />
        </>
      }
    >
      {isAsked ? (
        <Answer read={read}>{(found) => <Found commits={found.items} unknown={found.unknown} />}</Answer>
      ) : (
        <Notice title={text.needsProject} />
      )}
    </Page>
  )
}

function Found({ commits, unknown }: { commits: readonly CommitSummary[]; unknown: readonly string[] | undefined }) {
  if (commits.length === 0) {
    return (
      <Notice title={text.emptyTitle}>
        <p>{text.empty}</p>
      </Notice>
    )
  }
  return (
    <>
      <Table label={text.results} columns={COLUMNS}>
        {commits.map(({ project, branch, info, passed, failed, running, firstBuiltMs }) => (
          <tr key={`${project}\n${branch}\n${info.sha}`} data-testid="commit">
            <td>
              <Link to={toCommit(info.sha)} className={layout.link}>
                <code>{shortSha(info.sha)}</code>
              </Link>
            </td>
            <td className={layout.words}>{info.subject}</td>
            <td className={layout.soft}>{info.author}</td>
            <td>
              {project} <span className={layout.faint}>{branch}</span>
            </td>
            <td className={failed > 0 ? layout.red : layout.soft}>{text.counts(passed, failed, running)}</td>
            <td className={layout.nowrap}>
              <Ago at={info.committedAt ?? firstBuiltMs} />
            </td>
          </tr>
        ))}
      </Table>
      <Unknown sentences={unknown} />
    </>
  )
}
