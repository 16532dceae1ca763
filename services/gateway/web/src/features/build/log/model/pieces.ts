/** Pieces: a line cut where its style changes, where a search hits and where it names a place in the sources. */
import type { AnsiSpan } from '@/shared/format/ansi'
import { mentionsIn } from '@/shared/source/mentions'
import type { SourceTree } from '@/shared/source/source-tree'

export interface Piece extends AnsiSpan {
  isHit: boolean
  /** Where the place it names is on the web. */
  href: string | undefined
}

interface Range {
  from: number
  until: number
}

export function piecesOf(spans: readonly AnsiSpan[], query: string | undefined, tree: SourceTree | undefined): Piece[] {
  const text = spans.map((span) => span.text).join('')
  const hits = query ? hitsIn(text, query) : []
  const links = tree === undefined ? [] : linksIn(text, tree)
  const edges = [...hits, ...links].flatMap(({ from, until }) => [from, until]).sort((a, b) => a - b)
  const pieces: Piece[] = []
  let begin = 0
  for (const { text: whole, style } of spans) {
    const end = begin + whole.length
    const cuts = [begin, ...edges.filter((edge) => edge > begin && edge < end), end]
    for (let at = 1; at < cuts.length; at++) {
      const [from = 0, until = 0] = [cuts[at - 1], cuts[at]]
      if (from === until) continue
      const isHit = hits.some((hit) => hit.from <= from && until <= hit.until)
      const href = links.find((link) => link.from <= from && until <= link.until)?.href
      pieces.push({ text: whole.slice(from - begin, until - begin), style, isHit, href })
    }
    begin = end
  }
  return pieces
}

function hitsIn(text: string, query: string): Range[] {
  const [looked, wanted] = [text.toLowerCase(), query.toLowerCase()]
  const hits: Range[] = []
  for (let at = looked.indexOf(wanted); at !== -1; at = looked.indexOf(wanted, at + wanted.length)) {
    hits.push({ from: at, until: at + wanted.length })
  }
  return hits
}

function linksIn(text: string, tree: SourceTree): (Range & { href: string })[] {
  return mentionsIn(text).flatMap(({ from, until, file, line }) => {
    const href = tree.urlOf(file, line)
    return href === undefined ? [] : [{ from, until, href }]
  })
}
