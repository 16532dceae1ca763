/** Cell card: one cell of the grid in full: whose the failure is, the captured error, and ways on. */
import { CloseButton } from '@mantine/core'
import { useLayoutEffect, useRef } from 'react'
import { Link } from 'react-router'
import { toFailure } from '@/shared/address/links'
import { useBuildDetail } from '@/shared/api/queries/builds'
import { duration } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { rangeHash } from '@/shared/format/line-range'
import { evidenceOf, verdictOf } from '@/shared/format/verdict'
import { build as buildText, commit as commitText, grid as text } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import { PlaceName } from '@/shared/ui/PlaceName'
import type { Cell } from '@/shared/wire'
import classes from './GridPage.module.css'
import { resultOf } from './model'

const MARGIN = 8

export function CellCard({ cell, at, onClose }: { cell: Cell; at: DOMRect; onClose: () => void }) {
  const card = useRef<HTMLDivElement>(null)
  const result = resultOf(cell)
  useLayoutEffect(() => {
    const { width, height } = card.current?.getBoundingClientRect() ?? { width: 0, height: 0 }
    const isBelow = at.bottom + MARGIN + height < innerHeight
    const top = isBelow ? at.bottom + MARGIN : Math.max(MARGIN, at.top - MARGIN - height)
    const left = Math.max(MARGIN, Math.min(at.left - width / 2, innerWidth - width - MARGIN))
    Object.assign(card.current?.style ?? {}, { top: `${top}px`, left: `${left}px` })
  })
  return (
    <div ref={card} className={classes.card} role="group" aria-label={cell.config} data-testid="cell-card">
      <div className={classes.cardHead}>
        <strong>{cell.config}</strong>
        <span data-result={result}>{text.cell[result]}</span>
        <CloseButton size="sm" aria-label={text.close} onClick={onClose} />
      </div>
      <p className={classes.cardFacts}>
        <Ago at={cell.startedAt} />
        {cell.durationMs != null && <span>{duration(cell.durationMs)}</span>}
        {cell.attempts > 1 && <span>{text.attempts(cell.attempts)}</span>}
        {cell.bothWays && <span>{text.bothWays}</span>}
      </p>
      {cell.judged != null && (
        <p className={classes.verdict} title={evidenceOf(cell.judged)}>
          {commitText.verdict[verdictOf(cell.judged)]}
        </p>
      )}
      {cell.status === 'failed' && <CapturedError buildId={cell.buildId} />}
      <p className={classes.ways}>
        <Link to={`/builds/${cell.buildId}`}>{text.openBuild}</Link>
        {cell.signature != null && <Link to={toFailure(cell.signature)}>{text.moreLikeThis}</Link>}
      </p>
    </div>
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
      {failure.file && <PlaceName failure={failure} cwd={data.cwd} className={classes.place} />}
      <code>{plainText(failure.message)}</code>
      <span>{buildText.toLine(String(failure.firstLine))}</span>
    </Link>
  )
}
