/** Grid head: the names of the columns, upright so that a column stays as narrow as its symbol; always in sight. */
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react'
import type { CSSProperties, RefObject } from 'react'
import { grid as text } from '@/shared/i18n'
import classes from './GridTable.module.css'
import type { Group } from './model/groups'
import { cut } from './model/labels'
import { CELL_WIDTH, widthOf, type Block, type TableColumn } from './model/table'

interface Props {
  corner: RefObject<HTMLDivElement | null>
  blocks: readonly Block[]
  width: number
  height: number
  onFold: (group: Group) => void
}

export function GridHead({ corner, blocks, width, height, onFold }: Props) {
  return (
    <div role="rowgroup" className={classes.head}>
      <div role="row" aria-rowindex={1} className={classes.headRow} style={{ height }}>
        <div ref={corner} className={classes.corner} role="columnheader" aria-colindex={1}>
          <span className={classes.time}>{text.time}</span>
          <span className={classes.sha}>{text.commit}</span>
          <span className={classes.subject}>{text.subject}</span>
          <span className={classes.author}>{text.author}</span>
        </div>
        <div className={classes.names} style={{ width }} role="presentation">
          {blocks.map((block) => (
            <div key={block.at} className={classes.block} style={{ left: block.left }} role="presentation">
              {block.columns.map((column, at) => (
                <Name key={column.key} column={column} at={block.at + at} onFold={onFold} />
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}

interface NameProps {
  column: TableColumn
  at: number
  onFold: (group: Group) => void
}

function Name({ column: drawn, at, onFold }: NameProps) {
  const { group, column, label, isFirst } = drawn
  const isRed = column === undefined ? group.red > 0 : column.colour === 'red'
  const place = { role: 'columnheader', 'aria-colindex': at + 2, 'data-red': isRed } as const
  if (column === undefined) {
    return (
      <div {...place} className={classes.name} style={{ width: widthOf(drawn) }}>
        <button
          type="button"
          aria-expanded={false}
          title={`${text.unfold(groupName(group))}: ${text.redOf(group.red, group.members.length)}`}
          onClick={() => onFold(group)}
        >
          <IconChevronRight size={13} stroke={2} aria-hidden />
          <b>{group.red > 0 ? `${group.red}/${group.members.length}` : group.members.length}</b>
          <span>{cut(groupName(group))}</span>
        </button>
      </div>
    )
  }
  const members = { '--members': `${group.members.length * CELL_WIDTH}px` } as CSSProperties
  return (
    <div
      {...place}
      className={classes.name}
      style={{ width: widthOf(drawn) }}
      title={column.config}
      aria-label={column.config}
    >
      {isFirst && group.value !== '' && (
        <button
          type="button"
          className={classes.groupName}
          style={members}
          aria-expanded
          title={text.fold(groupName(group))}
          onClick={() => onFold(group)}
        >
          <IconChevronDown size={13} stroke={2} aria-hidden />
          {groupName(group)}
        </button>
      )}
      <span aria-hidden>
        {cut(label)}
        {column.state !== 'production' && <em> {text.states[column.state]}</em>}
      </span>
    </div>
  )
}

export function groupName(group: Group): string {
  return group.value === '' ? text.rest : group.value
}
