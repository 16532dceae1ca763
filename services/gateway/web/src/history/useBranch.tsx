/** Branch: which project's branch a page tells of; kept in the address, the first known one where it names none. */
import { Select } from '@mantine/core'
import { useMemo, type ReactNode } from 'react'
import { useSearchParams } from 'react-router'
import { trends as text } from '../strings'
import { useSummary } from './queries'

export interface BranchChoice {
  /** Undefined while no branch is known. */
  project: string | undefined
  branch: string | undefined
  select: ReactNode
}

export function useBranch(): BranchChoice {
  const [params, setParams] = useSearchParams()
  const lanes = useSummary().data?.items
  const names = useMemo(
    () => [...new Set(lanes?.map(({ project, branch }) => nameOf(project, branch)))].sort((a, b) => a.localeCompare(b)),
    [lanes],
  )
  const chosen = params.get('branch') ?? names[0]
  // A project's name holds no blank; a branch might.
  const project = chosen?.split(' ')[0]
  const branch = chosen?.slice((project?.length ?? 0) + 1) || undefined
  const choose = (name: string | null) =>
    setParams((now) => withParam(new URLSearchParams(now), 'branch', name), { replace: true })
  const select = (
    <Select
      size="xs"
      aria-label={text.branch}
      data={chosen === undefined || names.includes(chosen) ? names : [chosen, ...names]}
      value={chosen ?? null}
      onChange={choose}
      allowDeselect={false}
      searchable
    />
  )
  return { project, branch, select }
}

/** A branch as the address names it. */
export function nameOf(project: string, branch: string | null | undefined): string {
  return `${project} ${branch ?? ''}`.trim()
}

/** The parameters with one of them changed, or without it. */
export function withParam(params: URLSearchParams, name: string, value: string | null | undefined): URLSearchParams {
  if (value) params.set(name, value)
  else params.delete(name)
  return params
}
