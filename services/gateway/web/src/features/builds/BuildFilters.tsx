/** Build filters: project, branch, status, and a search over what identifies a build. */
import { Select } from '@mantine/core'
import { list, statusName } from '@/shared/i18n'
import type { Filter } from '@/shared/live/rows'
import { SearchField } from '@/shared/ui/SearchField'
import type { Build, BuildStatus } from '@/shared/wire'
import classes from './BuildsList.module.css'

const STATUSES = Object.entries(statusName).map(([value, label]) => ({ value, label }))

interface Props {
  filter: Filter
  onChange: (change: Filter) => void
  /** Builds whose projects and branches are offered. */
  builds: readonly Build[]
}

export function BuildFilters({ filter, onChange, builds }: Props) {
  const ofProject = builds.filter((build) => !filter.project || build.project === filter.project)
  return (
    <div className={classes.filters} role="search">
      <SearchField
        className={classes.search}
        label={list.search}
        hint={list.searchHint}
        value={filter.text}
        onChange={(text) => onChange({ text })}
      />
      <Choice
        label={list.project}
        any={list.anyProject}
        values={namesOf(builds.map((build) => build.project))}
        value={filter.project}
        onChange={(project) => onChange({ project, branch: undefined })}
      />
      <Choice
        label={list.branch}
        any={list.anyBranch}
        values={namesOf(ofProject.map((build) => build.branch))}
        value={filter.branch}
        onChange={(branch) => onChange({ branch })}
      />
      <Choice
        label={list.status}
        any={list.anyStatus}
        values={STATUSES}
        value={filter.status}
        onChange={(status) => onChange({ status: status as BuildStatus | undefined })}
      />
    </div>
  )
}

interface ChoiceProps {
  label: string
  any: string
  values: { value: string; label: string }[]
  value: string | undefined
  onChange: (value: string | undefined) => void
}

function Choice({ label, any, values, value, onChange }: ChoiceProps) {
  const isOffered = value === undefined || values.some((each) => each.value === value)
  return (
    <Select
      className={classes.choice}
      aria-label={label}
      placeholder={any}
      data={isOffered ? values : [{ value, label: value }, ...values]}
      value={value ?? null}
      onChange={(chosen) => onChange(chosen ?? undefined)}
      clearable
      searchable={values.length > 8}
      size="xs"
    />
  )
}

function namesOf(names: readonly (string | null | undefined)[]): { value: string; label: string }[] {
  const distinct = new Set(names.filter((name): name is string => !!name))
  return [...distinct].sort().map((name) => ({ value: name, label: name }))
}
