/**
 * Grid table: a row a commit, a column a configuration or a folded group of them; names and commits stay in sight.
 *
 * Only what is on the screen is drawn: rows by themselves, columns in blocks. The table has the focus as a whole; arrow
 * keys move its active cell, which is named to assistive technology.
 */
import {
  startTransition,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type CSSProperties,
  type KeyboardEvent,
} from 'react'
import { useNavigate } from 'react-router'
import type { CommitRow } from '@/shared/wire'
import { CellCard } from './CellCard'
import { GridHead } from './GridHead'
import { GridRow } from './GridRow'
import classes from './GridTable.module.css'
import type { Group } from './model/groups'
import { moved, type Place } from './model/moves'
import {
  blocksOf,
  blocksOn,
  headHeight,
  leftOf,
  ROW_HEIGHT,
  rowsOn,
  SPARE_BLOCKS,
  SPARE_ROWS,
  widthOf,
  type Span,
  type TableColumn,
} from './model/table'

interface Props {
  label: string
  project: string
  branch: string
  columns: readonly TableColumn[]
  rows: readonly CommitRow[]
  suspects: ReadonlyMap<string, ReadonlySet<string>>
  /** The commit to begin with. */
  focusedSha: string | undefined
  onFold: (group: Group) => void
}

interface Pinned extends Place {
  at: DOMRect
}

interface Screen {
  rows: Span
  blocks: Span
}

export function GridTable(props: Props) {
  const { label, columns, rows, suspects, focusedSha, onFold } = props
  const navigate = useNavigate()
  const scroller = useRef<HTMLDivElement>(null)
  const corner = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState<Place>({ row: 0, column: 0 })
  const [pinned, setPinned] = useState<Pinned>()
  const blocks = useMemo(() => blocksOf(columns), [columns])
  const width = leftOf(columns, columns.length)
  const [screen, look] = useScreen(scroller, corner, rows.length, blocks)
  const close = () => setPinned(undefined)
  useClosing(close, pinned !== undefined)

  // What is shown stays where it is looked for: with other columns or fewer rows the active cell is one of them.
  const row = Math.min(active.row, rows.length - 1)
  const column = Math.min(active.column, Math.max(0, columns.length - 1))

  // Another choice moves the reader, not a row that was added.
  const focusedAt = rows.findIndex(({ info }) => info.sha === focusedSha)
  const [gone, setGone] = useState<string>()
  if (focusedSha !== gone && (focusedSha === undefined || focusedAt !== -1)) {
    setGone(focusedSha)
    if (focusedAt !== -1) setActive({ row: focusedAt, column: 0 })
  }
  const newestFocus = useRef(focusedAt)
  useEffect(() => {
    newestFocus.current = focusedAt
  })
  useEffect(() => {
    if (gone === undefined || newestFocus.current === -1) return
    scroller.current?.scrollTo({ top: Math.max(0, (newestFocus.current - 4) * ROW_HEIGHT), left: 0 })
  }, [gone])

  const cellAt = (place: Place) => {
    const config = columns[place.column]?.column?.config
    return rows[place.row]?.cells?.find((cell) => cell.config === config)
  }
  const pin = (place: Place) => {
    const element = document.getElementById(idOf(place))
    if (element !== null) setPinned({ ...place, at: element.getBoundingClientRect() })
  }
  const go = (place: Place) => {
    setActive(place)
    close()
    showPlace(
      scroller.current,
      corner.current,
      place.row,
      leftOf(columns, place.column),
      widthAt(columns, place.column),
    )
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return
    const cell = cellAt({ row, column })
    if (event.key === 'Enter' || event.key === ' ') pin({ row, column })
    else if (event.key === 'o' && cell !== undefined) void navigate(`/builds/${cell.buildId}`)
    else {
      const next = moved({ row, column }, event, { rows: rows.length, columns: columns.length })
      if (next === undefined) return
      go(next)
    }
    event.preventDefault()
    event.stopPropagation()
  }

  const shownRows = rows.slice(screen.rows.from, screen.rows.to)
  const shownBlocks = blocks.slice(screen.blocks.from, screen.blocks.to)
  const pinnedRow = pinned && rows[pinned.row]
  const pinnedColumn = pinned && columns[pinned.column]
  return (
    <>
      <div
        ref={scroller}
        className={classes.scroller}
        role="grid"
        aria-label={label}
        aria-rowcount={rows.length + 1}
        aria-colcount={columns.length + 1}
        aria-activedescendant={rows.length > 0 && columns.length > 0 ? idOf({ row, column }) : undefined}
        tabIndex={0}
        style={{ '--cells': `${width}px` } as CSSProperties}
        data-testid="grid"
        onKeyDown={onKeyDown}
        onScroll={() => {
          look()
          close()
        }}
        onClick={(event) => {
          const place = placeOf(event.target)
          if (place === undefined) return
          setActive(place)
          pin(place)
        }}
        onDoubleClick={(event) => {
          const place = placeOf(event.target)
          const build = place && cellAt(place)?.buildId
          if (build !== undefined) void navigate(`/builds/${build}`)
        }}
        onPointerOver={(event) => nameCell(event.target)}
      >
        <GridHead corner={corner} blocks={shownBlocks} width={width} height={headHeight(columns)} onFold={onFold} />
        <div role="rowgroup" className={classes.body} style={{ height: rows.length * ROW_HEIGHT }}>
          {shownRows.map((each, at) => (
            <GridRow
              key={each.info.sha}
              row={each}
              at={screen.rows.from + at}
              blocks={blocks}
              from={screen.blocks.from}
              to={screen.blocks.to}
              suspectIn={suspects.get(each.info.sha)}
              active={screen.rows.from + at === row ? column : undefined}
            />
          ))}
        </div>
      </div>
      {pinned !== undefined && pinnedRow !== undefined && pinnedColumn !== undefined && (
        <CellCard
          key={`${pinnedRow.info.sha} ${pinnedColumn.key}`}
          project={props.project}
          branch={props.branch}
          row={pinnedRow}
          column={pinnedColumn}
          at={pinned.at}
          onClose={close}
          onUnfold={() => onFold(pinnedColumn.group)}
        />
      )}
    </>
  )
}

function idOf({ row, column }: Place): string {
  return `cell-${row}-${column}`
}

const NOTHING: Screen = { rows: { from: 0, to: 0 }, blocks: { from: 0, to: 0 } }

/**
 * Which rows and blocks are on the screen; looked at again whenever it scrolls or is resized.
 *
 * Nothing is drawn before the screen's size is known, so that no cell is laid out in vain; and what is beside the screen,
 * for whoever scrolls, only once it can be seen what is on it.
 */
function useScreen(
  scroller: React.RefObject<HTMLDivElement | null>,
  corner: React.RefObject<HTMLDivElement | null>,
  rows: number,
  blocks: ReturnType<typeof blocksOf>,
): [Screen, () => void] {
  const [screen, setScreen] = useState(NOTHING)
  const [hasSpare, spare] = useState(false)
  const look = () => {
    const element = scroller.current
    if (element === null) return
    const { scrollTop, scrollLeft, clientHeight, clientWidth } = element
    const beside = corner.current?.offsetWidth ?? 0
    const next = {
      rows: rowsOn(rows, scrollTop, clientHeight, hasSpare ? SPARE_ROWS : 0),
      blocks: blocksOn(blocks, scrollLeft, Math.max(0, clientWidth - beside), hasSpare ? SPARE_BLOCKS : 0),
    }
    setScreen((last) => (isSame(last.rows, next.rows) && isSame(last.blocks, next.blocks) ? last : next))
  }
  const newest = useRef(look)
  useLayoutEffect(() => {
    newest.current = look
  })
  useLayoutEffect(() => newest.current(), [rows, blocks, hasSpare])
  useEffect(() => {
    if (scroller.current === null) return
    const observer = new ResizeObserver(() => newest.current())
    observer.observe(scroller.current)
    return () => observer.disconnect()
  }, [scroller])
  useEffect(() => {
    // Once the frame with the cells has been painted.
    const frame = requestAnimationFrame(() => setTimeout(() => startTransition(() => spare(true))))
    return () => cancelAnimationFrame(frame)
  }, [])
  return [screen, look]
}

function isSame(a: Span, b: Span): boolean {
  return a.from === b.from && a.to === b.to
}

function placeOf(target: EventTarget): Place | undefined {
  const [, row, column] = /^cell-(\d+)-(\d+)$/.exec((target as HTMLElement).closest('[role=gridcell]')?.id ?? '') ?? []
  return row === undefined || column === undefined ? undefined : { row: Number(row), column: Number(column) }
}

/** A pointer at rest is given the cell's name, which thousands of cells need not carry all the time. */
function nameCell(target: EventTarget): void {
  const cell = (target as HTMLElement).closest<HTMLElement>('[role=gridcell]')
  if (cell !== null && cell.title === '') cell.title = cell.ariaLabel ?? ''
}

function widthAt(columns: readonly TableColumn[], at: number): number {
  const column = columns[at]
  return column === undefined ? 0 : widthOf(column)
}

/** Scrolls as far as it takes to see a cell beside the commits and below the names. */
function showPlace(
  scroller: HTMLElement | null,
  corner: HTMLElement | null,
  row: number,
  left: number,
  width: number,
): void {
  if (scroller === null || corner === null) return
  const roomX = scroller.clientWidth - corner.offsetWidth
  const roomY = scroller.clientHeight - corner.offsetHeight
  const top = row * ROW_HEIGHT
  if (left < scroller.scrollLeft) scroller.scrollLeft = left
  else if (left + width > scroller.scrollLeft + roomX) scroller.scrollLeft = left + width - roomX
  if (top < scroller.scrollTop) scroller.scrollTop = top
  else if (top + ROW_HEIGHT > scroller.scrollTop + roomY) scroller.scrollTop = top + ROW_HEIGHT - roomY
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
      const inside = '[data-testid=cell-card], [role=gridcell], [role=dialog]'
      if ((event.target as HTMLElement).closest(inside) === null) newest.current()
    }
    addEventListener('keydown', onKey)
    addEventListener('pointerdown', onPress)
    return () => {
      removeEventListener('keydown', onKey)
      removeEventListener('pointerdown', onPress)
    }
  }, [isOpen])
}
