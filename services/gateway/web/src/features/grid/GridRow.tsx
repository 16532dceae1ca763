/** Grid row: one commit and its cells, a block of columns at a time. */
import { memo } from 'react'
import { Link } from 'react-router'
import { toCommit } from '@/shared/address/links'
import { shortSha } from '@/shared/format'
import { grid as text } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import type { Cell, CommitRow } from '@/shared/wire'
import { groupName } from './GridHead'
import classes from './GridTable.module.css'
import { resultOf, SYMBOL, worstOf } from './model/results'
import { ROW_HEIGHT, type Block, type TableColumn } from './model/table'

interface Props {
  row: CommitRow
  /** Its place among the rows. */
  at: number
  blocks: readonly Block[]
  from: number
  to: number
  /** The configurations that this commit is suspect in. */
  suspectIn: ReadonlySet<string> | undefined
  /** The column of its active cell. */
  active: number | undefined
}

export const GridRow = memo(function GridRow({ row, at, blocks, from, to, suspectIn, active }: Props) {
  const { sha, subject, author, committedAt } = row.info
  return (
    <div role="row" aria-rowindex={at + 2} className={classes.row} style={{ top: at * ROW_HEIGHT }} data-sha={sha}>
      <div role="rowheader" aria-colindex={1} className={classes.commit} title={subject ?? undefined}>
        <span className={classes.time}>
          <Ago at={committedAt ?? row.firstBuiltAt} />
        </span>
        <Link to={toCommit(sha)} className={classes.sha}>
          <code>{shortSha(sha)}</code>
        </Link>
        <span className={classes.subject}>{subject}</span>
        <span className={classes.author}>{author}</span>
      </div>
      {blocks.slice(from, to).map((block) => (
        <Cells
          key={block.at}
          row={row}
          at={at}
          block={block}
          suspectIn={suspectIn}
          active={active !== undefined && active >= block.at && active < block.at + block.columns.length ? active : -1}
        />
      ))}
    </div>
  )
})

interface CellsProps extends Pick<Props, 'row' | 'at' | 'suspectIn'> {
  block: Block
  active: number
}

const Cells = memo(function Cells({ row, at, block, suspectIn, active }: CellsProps) {
  const cells = cellsOf(row)
  return (
    <div
      role="presentation"
      className={classes.block}
      style={{ left: `calc(var(--commit) + ${block.left}px)`, width: block.width }}
    >
      {block.columns.map((column, offset) => {
        const shown = shownOf(column, cells)
        const isSuspect =
          suspectIn !== undefined &&
          column.group.members.some(({ config }) => isOf(column, config) && suspectIn.has(config))
        return (
          <div
            key={column.key}
            id={`cell-${at}-${block.at + offset}`}
            role="gridcell"
            aria-colindex={block.at + offset + 2}
            aria-label={labelOf(column, shown)}
            className={classes.cell}
            data-group={column.column === undefined || undefined}
            data-result={shown?.result}
            data-suspect={isSuspect || undefined}
            data-active={active === block.at + offset || undefined}
          >
            {shown?.symbol}
          </div>
        )
      })}
    </div>
  )
})

function shownOf({ column, group }: TableColumn, cells: ReadonlyMap<string, Cell>) {
  if (column !== undefined) {
    const cell = cells.get(column.config)
    if (cell === undefined) return undefined
    const result = resultOf(cell)
    return { result, symbol: SYMBOL[result], name: text.cell[result] }
  }
  const built = group.members.flatMap(({ config }) => cells.get(config) ?? [])
  const worst = worstOf(built)
  if (worst === undefined) return undefined
  const { result, count } = worst
  const symbol = result === 'passed' ? SYMBOL.passed : `${SYMBOL[result]} ${count}`
  return { result, symbol, name: text.worst(count, built.length, text.cell[result]) }
}

/** A group's cell has words to be read out, and what is called out by voice is what is seen. */
function labelOf(column: TableColumn, shown: ReturnType<typeof shownOf>): string {
  const label = `${nameOf(column)}: ${shown?.name ?? text.notBuilt}`
  return column.column === undefined && shown !== undefined ? `${label}, ${shown.symbol}` : label
}

function isOf(column: TableColumn, config: string): boolean {
  return column.column === undefined || column.column.config === config
}

function nameOf(column: TableColumn): string {
  return column.column?.config ?? groupName(column.group)
}

const byConfig = new WeakMap<CommitRow, ReadonlyMap<string, Cell>>()

/** A row's cells by their configuration, looked up once for each of its blocks. */
function cellsOf(row: CommitRow): ReadonlyMap<string, Cell> {
  const known = byConfig.get(row)
  if (known !== undefined) return known
  const cells = new Map(row.cells?.map((cell) => [cell.config, cell]))
  byConfig.set(row, cells)
  return cells
}
