/** Minimap: a strip beside the bar that shows where in the log errors and warnings are, and what part is in sight. */
import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef, type PointerEvent } from 'react'
import { stripOf, type Marks } from '@/features/build/log/model/marks'
import type { Viewport } from '@/features/build/log/model/viewport'
import { log } from '@/shared/i18n'
import classes from './LogView.module.css'

const WIDTH_PX = 14
/** A mark is as high as an eye needs to find it. */
const MARK_PX = 2
/** What was not searched is dotted: empty would read as calm. */
const DOT_PX = 5

interface Props {
  marks: Marks
  viewport: Viewport
  heightPx: number
  onGoTo: (line: number) => void
}

export function Minimap({ marks, viewport, heightPx, onGoTo }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const scheme = useComputedColorScheme('light')
  const rows = viewport.rows.rows
  const { version } = marks

  useEffect(() => {
    if (canvas.current !== null) draw(canvas.current, marks, viewport, heightPx)
  }, [marks, viewport, heightPx, scheme, rows, version])

  function pick(event: PointerEvent<HTMLCanvasElement>) {
    const box = event.currentTarget.getBoundingClientRect()
    onGoTo(viewport.lineOf((event.clientY - box.top) / box.height))
  }

  const { topPx, sizePx } = viewport.inSight(heightPx)
  return (
    // The toolbar shows the same in words, and its jumps are there by key: it is for the eye and the mouse.
    <div
      className={classes.minimap}
      style={{ width: WIDTH_PX, height: heightPx }}
      aria-hidden="true"
      title={log.minimap}
    >
      <canvas ref={canvas} onPointerDown={pick} data-testid="log-minimap" data-errors={marks.of('error').length} />
      <i style={{ height: sizePx, transform: `translateY(${topPx}px)` }} />
    </div>
  )
}

function draw(canvas: HTMLCanvasElement, marks: Marks, viewport: Viewport, heightPx: number): void {
  const context = canvas.getContext('2d')
  if (context === null || heightPx === 0) return
  const scale = devicePixelRatio
  canvas.width = WIDTH_PX * scale
  canvas.height = heightPx * scale
  context.scale(scale, scale)
  const style = getComputedStyle(canvas)
  const colours = {
    error: style.getPropertyValue('--failed-fill'),
    warning: style.getPropertyValue('--warned-fill'),
  }
  const unknownFrom = viewport.placeOf(Math.min(marks.knownUpTo.error, marks.knownUpTo.warning)) * heightPx
  context.fillStyle = style.getPropertyValue('--line')
  for (let y = Math.floor(unknownFrom); y < heightPx; y += DOT_PX) context.fillRect(WIDTH_PX / 2 - 1, y, 2, 1)
  const strip = stripOf(marks, heightPx, (line) => viewport.placeOf(line))
  for (const severity of ['warning', 'error'] as const) {
    context.fillStyle = colours[severity]
    strip.forEach((marked, y) => {
      if (marked === severity) context.fillRect(2, Math.min(y, heightPx - MARK_PX), WIDTH_PX - 4, MARK_PX)
    })
  }
}
