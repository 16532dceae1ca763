/** Log row: one line of a log, as text and never as markup. */
import { memo, type CSSProperties, type ReactNode } from 'react'
import { piecesOf, type Piece } from '@/features/build/log/model/pieces'
import { severityOf } from '@/features/build/log/model/severity'
import { clock, count } from '@/shared/format'
import { PLAIN, begunWith, parseAnsi, type AnsiStyle } from '@/shared/format/ansi'
import { log } from '@/shared/i18n'
import type { SourceTree } from '@/shared/source/source-tree'
import classes from './LogView.module.css'

/** A longer line is shown up to here; browsers lay out longer ones too slowly. */
export const SHOWN_CHARACTERS = 20_000

interface Props {
  number: number
  /** Absent while the line is being read. */
  text: string | undefined
  before?: AnsiStyle
  stampedAt?: number
  isTimed: boolean
  isSelected: boolean
  /** What is searched for, to be marked. */
  query?: string
  isCurrentHit: boolean
  isCurrentError: boolean
  /** The sources that places in the line are links to, where they are known. */
  tree?: SourceTree
  onPick: (number: number, isRange: boolean) => void
}

export const LogRow = memo(function LogRow(props: Props) {
  const { number, text, stampedAt, isTimed, isSelected, isCurrentHit, isCurrentError, onPick } = props
  return (
    <div
      className={classes.row}
      data-line={number}
      data-selected={isSelected || undefined}
      data-current={isCurrentError || undefined}
      data-severity={text === undefined ? undefined : severityOf(begunWith(text))}
    >
      <a
        className={classes.number}
        href={`#L${number}`}
        title={log.link(count(number))}
        tabIndex={-1}
        onClick={(event) => {
          event.preventDefault()
          onPick(number, event.shiftKey)
        }}
      >
        {number}
      </a>
      {isTimed && <span className={classes.clock}>{stampedAt === undefined ? '' : clock(stampedAt)}</span>}
      {text === undefined ? (
        <span className={classes.unread} />
      ) : (
        <span className={classes.text}>
          <Content {...props} text={text} isCurrentHit={isCurrentHit} />
        </span>
      )}
    </div>
  )
})

function Content({ text, before, query, tree, isCurrentHit }: Props & { text: string }) {
  const shown = text.length > SHOWN_CHARACTERS ? text.slice(0, SHOWN_CHARACTERS) : text
  const pieces = piecesOf(parseAnsi(shown, before).spans, query, tree)
  return (
    <>
      {pieces.map((piece, at) => drawn(piece, at, isCurrentHit))}
      {shown.length < text.length && <em className={classes.cut}>{log.cut(count(text.length - shown.length))}</em>}
    </>
  )
}

function drawn(piece: Piece, key: number, isCurrentHit: boolean): ReactNode {
  if (piece.href === undefined) return styled(piece, key, isCurrentHit)
  return (
    <a key={key} className={classes.source} href={piece.href} target="_blank" rel="noreferrer" title={log.openSource}>
      {styled(piece, key, isCurrentHit)}
    </a>
  )
}

function styled({ text, style, isHit }: Piece, key: number, isCurrentHit: boolean): ReactNode {
  if (isHit) {
    return (
      <mark key={key} className={classes.hit} data-current={isCurrentHit || undefined}>
        {text}
      </mark>
    )
  }
  if (style === PLAIN) return text
  return (
    <span key={key} className={classNames(style)} style={exactColours(style)}>
      {text}
    </span>
  )
}

function classNames(style: AnsiStyle): string {
  const names: (string | undefined | false)[] = [
    style.bold && classes.bold,
    style.dim && classes.dim,
    style.italic && classes.italic,
    style.underline && classes.underline,
    style.strike && classes.strike,
    style.inverse && classes.inverse,
    typeof style.fg === 'number' && classes.fore,
    typeof style.fg === 'string' && classes.exactFore,
    style.bg !== undefined && classes.back,
  ]
  return names.filter(Boolean).join(' ')
}

/** Colours go through the theme, which sees to it that they can be read. */
function exactColours({ fg, bg }: AnsiStyle): CSSProperties | undefined {
  if (fg === undefined && bg === undefined) return undefined
  const value = (colour: string | number) => (typeof colour === 'number' ? `var(--ansi-${colour})` : colour)
  return {
    ...(fg !== undefined && { '--fore': value(fg) }),
    ...(bg !== undefined && { '--back': value(bg) }),
  } as CSSProperties
}
