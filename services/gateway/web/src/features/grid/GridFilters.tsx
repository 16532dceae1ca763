/** Grid filters: which configurations are shown and how they are grouped, all kept in the address. */
import { Select } from '@mantine/core'
import type { Address } from '@/shared/address/address'
import { grid as text } from '@/shared/i18n'
import { SearchField } from '@/shared/ui/SearchField'
import type { Column } from '@/shared/wire'
import { HIDDEN } from './address'
import classes from './GridPage.module.css'
import { axesAmong } from './model/axes'
import { offeredBy, STATES } from './model/filter'
import { UNGROUPED, type Group } from './model/groups'

interface Props {
  address: Address
  columns: readonly Column[]
  axis: string | undefined
  groups: readonly Group[]
}

export function GridFilters({ address, columns, axis, groups }: Props) {
  const axes = axesAmong(columns)
  const { tags, owners } = offeredBy(columns)
  const shown = groups.reduce((sum, { members }) => sum + members.length, 0)
  return (
    <div className={classes.filters} role="search">
      <SearchField label={text.filter} value={address.get('q')} onChange={(q) => address.change({ q }, true)} />
      {axes.length > 0 && (
        <Select
          size="xs"
          w={150}
          aria-label={text.groupBy}
          data={[
            { value: UNGROUPED, label: text.ungrouped },
            ...axes.map((value) => ({ value, label: text.by(value) })),
          ]}
          value={axis ?? UNGROUPED}
          onChange={(by) => address.change({ by: by ?? undefined, open: undefined })}
          allowDeselect={false}
        />
      )}
      <Narrow address={address} name="state" label={text.state} values={STATES} labels={text.stateNames} />
      <Narrow address={address} name="tag" label={text.tag} values={tags} />
      <Narrow address={address} name="owner" label={text.owner} values={owners} />
      <Narrow address={address} name="hide" label={text.hide} values={HIDDEN} labels={text.hidden} />
      <span className={classes.count} role="status">
        {text.shown(shown, columns.length)}
      </span>
    </div>
  )
}

interface NarrowProps {
  address: Address
  name: string
  label: string
  values: readonly string[]
  labels?: Readonly<Record<string, string>>
}

function Narrow({ address, name, label, values, labels }: NarrowProps) {
  const value = address.get(name)
  // What the address names is offered even where nothing has it: else one could not see why nothing is shown.
  const offered = value === undefined || values.includes(value) ? values : [value, ...values]
  if (offered.length === 0) return null
  return (
    <Select
      size="xs"
      w={150}
      aria-label={label}
      placeholder={label}
      data={offered.map((each) => ({ value: each, label: labels?.[each] ?? each }))}
      value={value ?? null}
      onChange={(next) => address.change({ [name]: next ?? undefined })}
      clearable
      searchable={offered.length > 8}
    />
  )
}
