/** Cursor: how far a viewer's copy of a log reaches, and what a pushed frame does to it. Decides; does nothing. */
import type { LogAppended } from '@/shared/wire'

export interface Cursor {
  /** Every record up to this one is reflected. */
  seq: number
  /** Lines known to exist. */
  total: number
}

export type Step =
  /** Known already. */
  | { do: 'drop' }
  /** Take the frame's lines from element `skip` on. */
  | { do: 'append'; skip: number; cursor: Cursor; isCertain: boolean }
  /** Lines are missing, or may have changed, from `from` on: read the range again. */
  | { do: 'reread'; from: number; cursor: Cursor }

/** What a frame means for a viewer that stands at `cursor`. */
export function stepOf(cursor: Cursor, frame: LogAppended): Step {
  if (frame.seq <= cursor.seq) return { do: 'drop' }

  const last = frame.firstLine + frame.lines.length - 1
  const after = { seq: frame.seq, total: Math.max(cursor.total, last) }
  const follows = frame.continues ? frame.firstLine === cursor.total : frame.firstLine === cursor.total + 1

  if (frame.afterSeq < cursor.seq) {
    // The frame repeats what is known and adds to it; without a continued line its new part is plain to see.
    const skip = cursor.total - frame.firstLine + 1
    const isPlain = !frame.continues && skip >= 0 && skip <= frame.lines.length
    return isPlain
      ? { do: 'append', skip, cursor: after, isCertain: false }
      : { do: 'reread', from: Math.min(frame.firstLine, cursor.total), cursor: after }
  }
  if (!follows) return { do: 'reread', from: Math.min(frame.firstLine, cursor.total + 1), cursor: after }

  // Records between the two may have carried no line (progress, metrics), or the rest of the last line.
  const isCertain = frame.afterSeq === cursor.seq
  if (frame.continues && !isCertain) return { do: 'reread', from: cursor.total, cursor: after }
  return { do: 'append', skip: 0, cursor: after, isCertain }
}

/** The cursor after the build's row reported how far the log is; records without lines count by that. */
export function advance(cursor: Cursor, row: { asOfSeq: number; logLines: number }): Cursor {
  return row.asOfSeq > cursor.seq && row.logLines === cursor.total ? { ...cursor, seq: row.asOfSeq } : cursor
}
