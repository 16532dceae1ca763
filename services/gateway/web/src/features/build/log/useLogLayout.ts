/** Log layout: measures the screen and the lines for the viewport. */
import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react'
import type { LogStore } from '@/features/build/log/model/log-store'
import type { Viewport } from '@/features/build/log/model/viewport'
import { plainText } from '@/shared/format/ansi'
import type { Gap } from '@/shared/wire'
import { SHOWN_CHARACTERS } from './LogRow'
import type { Folds } from './useFolds'

/** Widths of what stands before the text, px; the style sheet has the same. */
const NUMBER_PX = 76
const CLOCK_PX = 104
const PADDING_PX = 24
const PROBE = 'M'.repeat(100)

interface Input {
  scroller: RefObject<HTMLDivElement | null>
  viewport: Viewport
  store: LogStore
  folds: Folds
  gaps: readonly Gap[]
  isWrapped: boolean
  isTimed: boolean
  redraw: () => void
}

interface Layout {
  heightPx: number
  /** Width of the widest line seen; undefined: as wide as the screen. */
  widthPx: number | undefined
}

export function useLogLayout(input: Input): Layout {
  const { scroller, viewport, store, folds, gaps, isWrapped, isTimed, redraw } = input
  const [screen, setScreen] = useState({ widthPx: 0, heightPx: 0 })
  const characterPx = useCharacterPx(scroller)
  const widest = useRef(0)

  useEffect(() => {
    const element = scroller.current
    if (element === null) return
    const observer = new ResizeObserver(() =>
      setScreen({ widthPx: element.clientWidth, heightPx: element.clientHeight }),
    )
    observer.observe(element)
    return () => observer.disconnect()
  }, [scroller])

  const beforeText = NUMBER_PX + (isTimed ? CLOCK_PX : 0) + PADDING_PX
  const columns = Math.max(20, Math.floor((screen.widthPx - beforeText) / characterPx))
  const around = [...gaps.map((gap) => gap.afterLine), ...folds.headings.keys()].join()
  const folded = [...folds.headings.keys()].filter(folds.isFolded).join()

  // Every line's rows depend on these; the lines in sight are measured again below.
  const readers = `${isWrapped ? columns : ''} ${folded}`
  const laidOutFor = useRef({ readers: '', around: '' })
  if (laidOutFor.current.readers !== readers || laidOutFor.current.around !== around) {
    const isByReader = laidOutFor.current.readers !== readers
    laidOutFor.current = { readers, around }
    viewport.rearrange((rows) => {
      rows.clear()
      rows.setHidden(folds.hidden)
      for (const gap of gaps) rows.setRows(gap.afterLine, rows.rowsOf(gap.afterLine) + 1)
      for (const first of folds.headings.keys()) rows.setRows(first, folds.isFolded(first) ? 1 : rows.rowsOf(first) + 1)
    }, isByReader)
  }
  viewport.measure(store.total, screen.heightPx)

  const { first, last } = viewport.visible()
  const isChanged = viewport.relayout((rows) => {
    let isChanged = false
    for (const number of rows.shown(first, Math.min(last, store.total))) {
      const text = store.line(number)?.text
      if (text === undefined) continue
      const length = Math.min(SHOWN_CHARACTERS, text.length > columns ? plainText(text).length : text.length)
      widest.current = Math.max(widest.current, length)
      if (!isWrapped) continue
      if (folds.headings.has(number) && folds.isFolded(number)) continue
      const aroundIt = gaps.filter((gap) => gap.afterLine === number).length + (folds.headings.has(number) ? 1 : 0)
      isChanged = rows.setRows(number, Math.max(1, Math.ceil(length / columns)) + aroundIt) || isChanged
    }
    return isChanged
  })

  useLayoutEffect(() => {
    // Once the elements are as high as the log: a bar cannot be put beyond them.
    viewport.placeBar((bar) => {
      const element = scroller.current
      if (element === null) return bar
      element.scrollTop = bar
      return element.scrollTop
    })
    // Lines that took more rows than thought push others out of sight, and the reverse: draw what is in sight now.
    if (isChanged) redraw()
  })

  const widthPx = isWrapped ? undefined : Math.max(screen.widthPx, widest.current * characterPx + beforeText)
  return { heightPx: screen.heightPx, widthPx }
}

/** The width of a character of the log's face, measured again when the face has loaded. */
function useCharacterPx(scroller: RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(7.8)
  useEffect(() => {
    const measure = () => {
      const element = scroller.current
      if (element === null) return
      const probe = document.createElement('span')
      probe.textContent = PROBE
      probe.style.cssText = 'position:absolute;visibility:hidden;white-space:pre'
      element.append(probe)
      const measured = probe.getBoundingClientRect().width / PROBE.length
      probe.remove()
      if (measured > 0) setWidth(measured)
    }
    measure()
    void document.fonts.ready.then(measure)
  }, [scroller])
  return width
}
