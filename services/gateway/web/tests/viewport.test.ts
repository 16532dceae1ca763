import { expect, test } from 'vitest'
import { RowMap } from '@/features/build/log/model/row-map'
import { MAX_HEIGHT_PX, ScrollMap } from '@/features/build/log/model/scroll-map'
import { Viewport } from '@/features/build/log/model/viewport'

const SECTIONS = [1, 201, 401]

function viewportOf(lines: number, isFollowing = false) {
  const viewport = new Viewport(20, isFollowing)
  viewport.measure(lines, 600)
  putBar(viewport)
  return viewport
}

/** Puts the bar where the view wants it, as a browser does: no further than its end. */
function putBar(viewport: Viewport) {
  const end = Math.max(0, viewport.scroll.heightPx - 600)
  viewport.placeBar((bar) => Math.min(bar, end))
}

/** Where a line is on the screen, in px from its top. */
function onScreen(viewport: Viewport, line: number) {
  return viewport.rows.topOf(line) * 20 - viewport.scroll.top
}

/** Folds the sections that begin at these lines; each has a heading above its first line. */
function fold(viewport: Viewport, folded: readonly number[], total = 1000) {
  viewport.rearrange((rows) => {
    rows.clear()
    rows.setHidden(
      SECTIONS.filter((first) => folded.includes(first)).map((first) => ({
        first: first + 1,
        last: (SECTIONS[SECTIONS.indexOf(first) + 1] ?? total + 1) - 1,
      })),
    )
    for (const first of SECTIONS) if (!folded.includes(first)) rows.setRows(first, 2)
  })
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
  const end = viewport.scroll.end

  viewport.moved(end - 40, end)
  expect(viewport.isFollowing).toBe(false)
  viewport.measure(2000, 600)
  expect(viewport.scroll.top).toBe(end - 40)

  viewport.moved(2000 * 20 - 600, 2000 * 20 - 600)
  expect(viewport.isFollowing).toBe(true)
})

test('the line at the top stays there when lines above it turn out taller', () => {
  const viewport = viewportOf(1000)
  viewport.moved(200 * 20 + 5, viewport.scroll.end)

  viewport.relayout((rows) => rows.setRows(50, 8))

  expect(viewport.scroll.top).toBe((200 + 7) * 20 + 5)
})

test('every line of a log taller than any element can be reached', () => {
  const viewport = viewportOf(2_000_000)
  expect(viewport.scroll.heightPx).toBe(MAX_HEIGHT_PX)

  for (const line of [1, 2, 999_999, 1_999_980, 2_000_000]) {
    viewport.goTo(line)
    expect(viewport.scroll.bar).toBeGreaterThanOrEqual(0)
    expect(viewport.scroll.bar).toBeLessThanOrEqual(MAX_HEIGHT_PX - 600)
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

test('a line that is folded away hands its place to its heading, and has it again when unfolded', () => {
  const viewport = viewportOf(1000)
  fold(viewport, [])
  viewport.moved(300 * 20 + 5, viewport.scroll.end)
  const before = viewport.scroll.top

  fold(viewport, [1, 201])
  expect(onScreen(viewport, 201)).toBe(-5)
  expect(viewport.isFollowing).toBe(false)

  fold(viewport, [])
  expect(viewport.scroll.top).toBe(before)
})

test('a log folded to less than the screen stays unfollowed and unfolds to where the reader was', () => {
  const viewport = viewportOf(420)
  fold(viewport, [], 420)
  viewport.moved(150 * 20, viewport.scroll.end)
  putBar(viewport)

  fold(viewport, [1, 201], 420)
  expect(viewport.scroll.top).toBe(0)
  // The browser takes the bar back to its new end by itself, before the page has put it anywhere.
  viewport.moved(0, 0)
  putBar(viewport)
  expect(viewport.isFollowing).toBe(false)

  fold(viewport, [], 420)
  expect(viewport.scroll.top).toBe(150 * 20)
})

test('folding keeps a following view at the end', () => {
  const viewport = viewportOf(1000, true)

  fold(viewport, [1, 201])
  viewport.moved(viewport.scroll.end, viewport.scroll.end)

  expect(viewport.isFollowing).toBe(true)
  expect(viewport.scroll.top).toBe(viewport.scroll.end)
})

test('a heading that is pressed stays under the pointer', () => {
  const viewport = viewportOf(1000)
  fold(viewport, [1, 201])
  const before = onScreen(viewport, 201)

  viewport.hold(201)
  fold(viewport, [1])
  expect(onScreen(viewport, 201)).toBe(before)

  viewport.hold(201)
  fold(viewport, [])
  expect(onScreen(viewport, 201)).toBe(before)
})

test('only a reader who moves the bar down to the end begins to follow', () => {
  const viewport = viewportOf(1000)
  viewport.goToEnd()
  putBar(viewport)
  viewport.letGo()

  const { bar, end } = viewport.scroll
  viewport.moved(bar, end) // sideways
  expect(viewport.isFollowing).toBe(false)

  viewport.measure(1000, 700) // a taller window brings the end into sight, and takes the bar along
  viewport.moved(1000 * 20 - 700, 1000 * 20 - 700)
  putBar(viewport)
  expect(viewport.isFollowing).toBe(false)

  viewport.moved(1000 * 20 - 780, 1000 * 20 - 700)
  viewport.moved(1000 * 20 - 700, 1000 * 20 - 700)
  expect(viewport.isFollowing).toBe(true)
})

test('a bar that its end pushes before the new height is known moves nobody', () => {
  const viewport = viewportOf(1000)
  viewport.moved(1000 * 20 - 640, 1000 * 20 - 600)
  const before = viewport.scroll.top

  expect(viewport.moved(1000 * 20 - 900, 1000 * 20 - 900)).toBe(false)
  viewport.measure(1000, 900)
  viewport.measure(1000, 600)

  expect(viewport.isFollowing).toBe(false)
  expect(viewport.scroll.top).toBe(before)
})

test('the line one was taken to stays in the middle while the lines around it turn out taller', () => {
  const viewport = viewportOf(150_000)
  viewport.goTo(75_000)
  const before = onScreen(viewport, 75_000)

  viewport.relayout((rows) => rows.setRows(74_995, 4))
  viewport.rearrange((rows) => rows.clear())
  viewport.relayout((rows) => rows.setRows(74_998, 3))

  expect(before).toBe(290)
  expect(onScreen(viewport, 75_000)).toBe(before)
})

test('lines that come in move nothing for who does not follow, also where the end kept a line from its place', () => {
  const viewport = viewportOf(1000)
  viewport.goTo(999)
  const before = viewport.scroll.top

  for (const lines of [1001, 1030, 5000]) viewport.measure(lines, 600)

  expect(viewport.scroll.top).toBe(before)
  expect(viewport.isFollowing).toBe(false)
})

test('a view that is made again is where the last one was', () => {
  const last = viewportOf(1000)
  last.moved(300 * 20 + 5, last.scroll.end)
  const next = new Viewport(20, last.isFollowing, last.place)

  next.measure(0, 0)
  next.measure(0, 600)
  next.measure(1000, 600)

  expect(next.scroll.top).toBe(last.scroll.top)
})

test('a bar is put anew only where it does not belong', () => {
  const viewport = viewportOf(1000)
  viewport.moved(4000, viewport.scroll.end)
  const put: number[] = []
  const placeBar = () =>
    viewport.placeBar((bar) => {
      put.push(bar)
      return bar
    })

  placeBar()
  viewport.measure(1200, 600)
  placeBar()
  expect(put).toEqual([])

  viewport.relayout((rows) => rows.setRows(3, 2))
  placeBar()
  placeBar()
  expect(put).toEqual([4020])
})

test('a heading that comes in above moves nothing for a line that the end keeps from its place', () => {
  const viewport = viewportOf(1000)
  viewport.goTo(999)
  viewport.measure(5000, 600)
  const before = onScreen(viewport, 999)

  viewport.rearrange((rows) => rows.setRows(401, 2), false)

  expect(onScreen(viewport, 999)).toBe(before)
})
