/** Grid table: a row a commit, a column a configuration; a cell can be pinned, and the arrow keys move between cells. */
import { memo, useEffect, useRef, useState, type KeyboardEvent } from 'react'
import { Link, useNavigate } from 'react-router'
import { toCommit } from '@/shared/address/links'
import { shortSha } from '@/shared/format'
import { grid as text } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import type { Cell, Column, CommitRow } from '@/shared/wire'
import { CellCard } from './CellCard'
import classes from './GridPage.module.css'
import { SYMBOL, resultOf, type SuspectRange } from './model'

interface Props {
  label: string
  columns: readonly Column[]
  rows: readonly CommitRow[]
  ranges: readonly SuspectRange[]
}

interface Pinned {
  cell: Cell
  at: DOMRect
}

export function GridTable({ label, columns, rows, ranges }: Props) {
  const navigate = useNavigate()
  const [pinned, setPinned] = useState<Pinned>()
  const table = useRef<HTMLTableElement>(null)
  const close = () => setPinned(undefined)
  useClosing(close, pinned !== undefined)

  const cellOf = (target: EventTarget): HTMLElement | null => (target as HTMLElement).closest('[data-build]')
  const find = (element: HTMLElement | null): Cell | undefined =>
    rows.flatMap((row) => row.cells ?? []).find((cell) => cell.buildId === element?.dataset.build)

  return (
    <div className={classes.scroll} role="region" aria-label={label} tabIndex={0} onScroll={close}>
      <table
        ref={table}
        className={classes.grid}
        onKeyDown={(event) => move(event, table.current)}
        onClick={(event) => {
          const element = cellOf(event.target)
          const cell = find(element)
          if (cell !== undefined && element !== null) setPinned({ cell, at: element.getBoundingClientRect() })
        }}
        onDoubleClick={(event) => {
          const cell = find(cellOf(event.target))
          if (cell !== undefined) void navigate(`/builds/${cell.buildId}`)
        }}
      >
        <thead>
          <tr>
            <th scope="col">{text.time}</th>
            <th scope="col">{text.commit}</th>
            <th scope="col" className={classes.subjectHead}>
              {text.subject}
            </th>
            <th scope="col">{text.author}</th>
            {columns.map((column) => (
              <th key={column.config} scope="col" className={classes.turned} data-colour={column.colour}>
                <div>
                  <span>
                    {column.config}
                    {column.state !== 'production' && <em> {text.states[column.state]}</em>}
                  </span>
                </div>
              </th>
            ))}
            <th className={classes.rest} aria-hidden="true" />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.info.sha} row={row} columns={columns} ranges={ranges} pinned={pinned?.cell.buildId} />
          ))}
        </tbody>
      </table>
      {pinned !== undefined && <CellCard key={pinned.cell.buildId} cell={pinned.cell} at={pinned.at} onClose={close} />}
    </div>
  )
}

interface RowProps {
  row: CommitRow
  columns: readonly Column[]
  ranges: readonly SuspectRange[]
  pinned: string | undefined
}

const Row = memo(function Row({ row, columns, ranges, pinned }: RowProps) {
  const { sha, subject, author, committedAt } = row.info
  const suspectIn = new Set(ranges.filter((range) => range.suspects.includes(sha)).map(({ column }) => column.config))
  return (
    <tr>
      <td className={classes.faint}>
        <Ago at={committedAt ?? row.firstBuiltAt} />
      </td>
      <td>
        <Link to={toCommit(sha)} className={classes.sha}>
          <code>{shortSha(sha)}</code>
        </Link>
      </td>
      <td className={classes.subject} title={subject ?? undefined}>
        {subject}
      </td>
      <td className={classes.author}>{author}</td>
      {columns.map(({ config }) => {
        const cell = row.cells?.find((each) => each.config === config)
        return (
          <td
            key={config}
            className={classes.cell}
            data-suspect={suspectIn.has(config) || undefined}
            title={suspectIn.has(config) ? text.range : undefined}
          >
            {cell !== undefined && <CellButton cell={cell} isPinned={cell.buildId === pinned} />}
          </td>
        )
      })}
      <td />
    </tr>
  )
})

function CellButton({ cell, isPinned }: { cell: Cell; isPinned: boolean }) {
  const result = resultOf(cell)
  return (
    <button
      type="button"
      className={classes.symbol}
      data-result={result}
      data-build={cell.buildId}
      aria-label={`${cell.config} ${text.cell[result]}`}
      aria-expanded={isPinned}
      title={`${cell.config}: ${text.cell[result]}`}
    >
      {SYMBOL[result]}
    </button>
  )
}

/** Esc and a press elsewhere let the pinned card go. */
function useClosing(close: () => void, isOpen: boolean): void {
  const newest = useRef(close)
  useEffect(() => {
    newest.current = close
  })
  useEffect(() => {
    if (!isOpen) return
    const onKey = (event: globalThis.KeyboardEvent) => event.key === 'Escape' && newest.current()
    const onPress = (event: PointerEvent) => {
      if ((event.target as HTMLElement).closest('[data-testid=cell-card], [data-build]') === null) newest.current()
    }
    addEventListener('keydown', onKey)
    addEventListener('pointerdown', onPress)
    return () => {
      removeEventListener('keydown', onKey)
      removeEventListener('pointerdown', onPress)
    }
  }, [isOpen])
}

/** Moves the focus to the nearest cell that way; a gap is stepped over. */
function move(event: KeyboardEvent, table: HTMLTableElement | null): void {
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? []
  const from = (event.target as HTMLElement).closest('td')
  if (down === undefined || right === undefined || table === null || from === null) return
  let row = (from.parentElement as HTMLTableRowElement).rowIndex + down
  let column = from.cellIndex + right
  for (; row > 0 && row < table.rows.length && column >= 0; row += down, column += right) {
    const cell = table.rows[row]?.cells[column]
    if (cell === undefined) return
    const button = cell.querySelector('button')
    if (button === null) continue
    event.preventDefault()
    button.focus()
    return
  }
}
