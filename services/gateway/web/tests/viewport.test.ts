import { expect, test } from 'vitest'
import { RowMap } from '../src/log/row-map'
import { MAX_HEIGHT_PX, ScrollMap } from '../src/log/scroll-map'
import { Viewport } from '../src/log/viewport'

function viewportOf(lines: number, isFollowing = false) {
  const viewport = new Viewport(20, isFollowing)
  viewport.measure(lines, 600)
  return viewport
}

test('rows and lines map onto each other around lines of several rows', () => {
  const rows = new RowMap()
  rows.setTotal(10)
  rows.setRows(3, 4)
  rows.setRows(7, 2)

  expect(rows.rows).toBe(14)
  expect([1, 3, 4, 7, 8, 10].map((line) => rows.topOf(line))).toEqual([0, 2, 6, 9, 11, 13])
  expect([0, 2, 5, 6, 9, 10, 11, 13, 99].map((row) => rows.lineAt(row))).toEqual([1, 3, 3, 4, 7, 7, 8, 10, 10])
})

test('a following view stays at the newest line as lines come in', () => {
  const viewport = viewportOf(1000, true)
  viewport.measure(1500, 600)

  expect(viewport.visible().last).toBe(1500)
})

test('scrolling up lets go, and scrolling to the very end follows again', () => {
  const viewport = viewportOf(1000, true)
  const end = viewport.scroll.settled()

  viewport.moved(end - 40)
  expect(viewport.isFollowing).toBe(false)
  viewport.measure(2000, 600)
  expect(viewport.scroll.top).toBe(end - 40)

  viewport.moved(2000 * 20 - 600)
  expect(viewport.isFollowing).toBe(true)
})

test('the line at the top stays there when lines above it turn out taller', () => {
  const viewport = viewportOf(1000)
  viewport.moved(200 * 20 + 5)

  viewport.relayout((rows) => rows.setRows(50, 8))

  expect(viewport.scroll.top).toBe((200 + 7) * 20 + 5)
})

test('every line of a log taller than any element can be reached', () => {
  const viewport = viewportOf(2_000_000)
  expect(viewport.scroll.heightPx).toBe(MAX_HEIGHT_PX)

  for (const line of [1, 2, 999_999, 1_999_980, 2_000_000]) {
    const bar = viewport.goTo(line)
    expect(bar).toBeGreaterThanOrEqual(0)
    expect(bar).toBeLessThanOrEqual(MAX_HEIGHT_PX - 600)
    const { first, last } = viewport.visible()
    expect(first <= line && line <= last).toBe(true)
  }
})

test('in a log taller than the bar small movements move the text by as much and jumps by proportion', () => {
  const scroll = new ScrollMap()
  scroll.resize(40_000_000, 600)

  scroll.moved(100)
  expect(scroll.top).toBe(100)
  scroll.moved(MAX_HEIGHT_PX / 2)
  expect(scroll.top / scroll.end).toBeCloseTo(0.5, 3)
  scroll.moved(scroll.heightPx - 600)
  expect(scroll.top).toBe(scroll.end)
})
