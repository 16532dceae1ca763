/** Cell card: one cell of the grid in full: whose the failure is, the captured error, and what to do; or a whole group's. */
import { Button, CloseButton } from '@mantine/core'
import { useLayoutEffect, useRef, type ReactNode } from 'react'
import { Link } from 'react-router'
import { toCommit, toFailure } from '@/shared/address/links'
import { useBuildDetail } from '@/shared/api/queries/builds'
import { duration, shortSha } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { rangeHash } from '@/shared/format/line-range'
import { evidenceOf, verdictOf } from '@/shared/format/verdict'
import { build as buildText, commit as commitText, grid as text } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import { PlaceName } from '@/shared/ui/PlaceName'
import { RebuildButton } from '@/shared/ui/RebuildButton'
import { isFinal, type Cell, type CommitRow } from '@/shared/wire'
import classes from './CellCard.module.css'
import { groupName } from './GridHead'
import type { Group } from './model/groups'
import { resultOf, worstOf, type CellResult } from './model/results'
import type { TableColumn } from './model/table'

const MARGIN = 8

/** So many members of a group are named for each result. */
const NAMED = 6

interface Props {
  project: string
  branch: string
  row: CommitRow
  column: TableColumn
  at: DOMRect
  onClose: () => void
  onUnfold: () => void
}

export function CellCard(props: Props) {
  const { row, column, project, branch, onUnfold } = props
  if (column.column === undefined) return <GroupCard {...props} group={column.group} onUnfold={onUnfold} />
  const { config } = column.column
  const cell = row.cells?.find((each) => each.config === config)
  return (
    <Card {...props} name={config} result={cell && resultOf(cell)}>
      {cell === undefined ? (
        <p className={classes.faint}>{text.notBuiltHere(shortSha(row.info.sha))}</p>
      ) : (
        <CellFacts cell={cell} />
      )}
      <div className={classes.ways}>
        {cell !== undefined && <Link to={`/builds/${cell.buildId}`}>{text.openBuild}</Link>}
        {cell?.signature != null && <Link to={toFailure(cell.signature)}>{text.moreLikeThis}</Link>}
        <Link to={toCommit(row.info.sha)}>{text.openCommit}</Link>
        {(cell === undefined || isFinal(cell.status)) && (
          <RebuildButton
            order={{ project, branch, commit: row.info.sha, config }}
            {...(cell === undefined && { label: text.fill, title: text.fillTitle })}
          />
        )}
      </div>
    </Card>
  )
}

interface CardProps extends Pick<Props, 'row' | 'at' | 'onClose'> {
  name: string
  result: CellResult | undefined
  children: ReactNode
}

function Card({ row, at, onClose, name, result, children }: CardProps) {
  const card = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const { width, height } = card.current?.getBoundingClientRect() ?? { width: 0, height: 0 }
    const isBelow = at.bottom + MARGIN + height < innerHeight
    const top = isBelow ? at.bottom + MARGIN : Math.max(MARGIN, at.top - MARGIN - height)
    const left = Math.max(MARGIN, Math.min(at.left - width / 2, innerWidth - width - MARGIN))
    Object.assign(card.current?.style ?? {}, { top: `${top}px`, left: `${left}px` })
  })
  return (
    <div ref={card} className={classes.card} role="group" aria-label={name} data-testid="cell-card">
      <div className={classes.head}>
        <strong>{name}</strong>
        {result !== undefined && <span data-result={result}>{text.cell[result]}</span>}
        <CloseButton size="sm" aria-label={text.close} onClick={onClose} />
      </div>
      <p className={classes.commit}>
        <code>{shortSha(row.info.sha)}</code> {row.info.subject}
        {row.info.author != null && <span> · {row.info.author}</span>}
      </p>
      {children}
    </div>
  )
}

function CellFacts({ cell }: { cell: Cell }) {
  const isRed = cell.status === 'failed' || cell.failing
  return (
    <>
      <p className={classes.facts}>
        <Ago at={cell.startedAt} />
        {cell.durationMs != null && <span>{duration(cell.durationMs)}</span>}
        {cell.attempts > 1 && <span>{text.attempts(cell.attempts)}</span>}
        {cell.bothWays && <span>{text.bothWays}</span>}
      </p>
      {cell.judged != null && (
        <p className={classes.verdict}>
          {commitText.verdict[verdictOf(cell.judged)]}
          <span>{evidenceOf(cell.judged)}</span>
        </p>
      )}
      {isRed && <CapturedError buildId={cell.buildId} />}
    </>
  )
}

function CapturedError({ buildId }: { buildId: string }) {
  const { data, isError } = useBuildDetail(buildId)
  if (isError) return <p className={classes.faint}>{buildText.missing}</p>
  if (data === undefined) return <p className={classes.faint}>{text.reading}</p>
  const failure = data.firstFailure
  if (failure == null) return <p className={classes.faint}>{text.noError}</p>
  const lines = { first: failure.firstLine, last: failure.lastLine ?? failure.firstLine }
  return (
    <Link className={classes.error} to={{ pathname: `/builds/${buildId}`, hash: rangeHash(lines) }}>
      <code>{plainText(failure.message)}</code>
      {failure.file && <PlaceName failure={failure} cwd={data.cwd} className={classes.place} />}
      <span>{buildText.toLine(String(failure.firstLine))}</span>
    </Link>
  )
}

function GroupCard({ row, group, onUnfold, onClose, at }: Props & { group: Group }) {
  const own = new Set(group.members.map(({ config }) => config))
  const cells = row.cells?.filter(({ config }) => own.has(config)) ?? []
  const worst = worstOf(cells)
  const results = new Map<CellResult, Cell[]>()
  for (const cell of cells) results.set(resultOf(cell), [...(results.get(resultOf(cell)) ?? []), cell])
  const isRed = worst !== undefined && worst.result !== 'passed' && worst.cell.status === 'failed'
  return (
    <Card
      row={row}
      at={at}
      onClose={onClose}
      name={`${groupName(group)} (${group.members.length})`}
      result={worst?.result}
    >
      {[...results].map(([result, some]) => (
        <p key={result} className={classes.members}>
          <span data-result={result}>
            {some.length} {text.cell[result]}
          </span>
          {result !== 'passed' &&
            some.slice(0, NAMED).map((cell) => (
              <Link key={cell.config} to={`/builds/${cell.buildId}`}>
                {cell.config}
              </Link>
            ))}
          {result !== 'passed' && some.length > NAMED && text.andMore(some.length - NAMED)}
        </p>
      ))}
      {cells.length < group.members.length && (
        <p className={classes.faint}>{text.notBuiltOf(group.members.length - cells.length)}</p>
      )}
      {isRed && <CapturedError buildId={worst.cell.buildId} />}
      <div className={classes.ways}>
        <Link to={toCommit(row.info.sha)}>{text.openCommit}</Link>
        {worst?.cell.signature != null && <Link to={toFailure(worst.cell.signature)}>{text.moreLikeThis}</Link>}
        <Button
          variant="default"
          size="xs"
          onClick={() => {
            onClose()
            onUnfold()
          }}
        >
          {text.unfold(groupName(group))}
        </Button>
      </div>
    </Card>
  )
}
