import { expect, test } from 'vitest'
import { LogStore, type ReadLog } from '@/features/build/log/model/log-store'
import { MAX_PAGES, PAGE_LINES, Pages } from '@/features/build/log/model/pages'
import { logFrame, logPage } from './frames'

/** A server that holds `lines` as of record `seq`, and records what was asked of it. */
function serverOf(lines: string[], seq: number) {
  const asked: number[] = []
  const read: ReadLog = async (first, count) => {
    asked.push(first)
    return logPage({ first, lines: lines.slice(first - 1, first - 1 + count), total: lines.length, asOfSeq: seq })
  }
  return { read, asked }
}

const numbered = (count: number, from = 1) => Array.from({ length: count }, (_, at) => `line ${from + at}`)
const atOnce = (act: () => void) => act()
const settled = () => new Promise((resolve) => setTimeout(resolve))

test('what was stored before and what is pushed after make one log without a gap or a repeat', async () => {
  const { read } = serverOf(numbered(700), 7)
  const store = new LogStore(read, atOnce)
  await store.resync()
  store.want(1, 700)
  await settled()

  store.apply(logFrame({ afterSeq: 6, seq: 7, firstLine: 700, lines: ['line 700'] }))
  store.apply(logFrame({ afterSeq: 7, seq: 8, firstLine: 701, lines: numbered(2, 701) }))
  store.apply(logFrame({ afterSeq: 7, seq: 8, firstLine: 701, lines: numbered(2, 701) }))

  expect(store.total).toBe(702)
  for (let number = 1; number <= 702; number++) expect(store.line(number)?.text).toBe(`line ${number}`)
})

test('lines missed on the way are read by range as soon as they are looked at', async () => {
  const stored = numbered(300)
  const { read, asked } = serverOf(stored, 3)
  const store = new LogStore(read, atOnce)
  await store.resync()
  store.want(250, 320)
  stored.push(...numbered(20, 301))

  store.apply(logFrame({ afterSeq: 5, seq: 6, firstLine: 320, lines: ['line 320'] }))
  await settled()

  expect(store.total).toBe(320)
  expect(store.line(310)?.text).toBe('line 310')
  expect(asked).toEqual([1, 1])
})

test('a log opened at a line is read there first, and only there', async () => {
  const { read, asked } = serverOf(numbered(9000), 7)
  const store = new LogStore(read, atOnce, 8100)
  await store.resync()
  store.want(8090, 8140)
  await settled()

  expect([store.total, store.line(8100)?.text]).toEqual([9000, 'line 8100'])
  expect(asked).toEqual([8001])
})

test('a line that goes on in the next frame is one line', async () => {
  const { read } = serverOf(['begin'], 1)
  const store = new LogStore(read, atOnce)
  await store.resync()

  store.apply(logFrame({ afterSeq: 1, seq: 2, firstLine: 1, lines: ['+more', 'next'], continues: true }))

  expect([store.line(1)?.text, store.line(2)?.text, store.total]).toEqual(['begin+more', 'next', 2])
})

test('a late answer that knows less than what was pushed since changes nothing', () => {
  const pages = new Pages()
  pages.put(0, logPage({ lines: ['a'] }))
  pages.append(2, 'b', undefined, undefined)
  pages.extend(2, '+')

  pages.put(0, logPage({ lines: ['a'] }))
  pages.put(0, logPage({ lines: ['a', 'b'] }))

  expect(pages.line(2)?.text).toBe('b+')
})

test('memory stays bounded however long a log grows', () => {
  const store = new LogStore(serverOf([], 0).read, atOnce)
  for (let seq = 1; seq <= 1000; seq++) {
    store.apply(logFrame({ afterSeq: seq - 1, seq, firstLine: (seq - 1) * 100 + 1, lines: numbered(100) }))
  }

  const held = Array.from({ length: store.total }, (_, at) => store.line(at + 1)).filter(Boolean)

  expect(store.total).toBe(100_000)
  expect(held.length).toBeLessThanOrEqual(MAX_PAGES * PAGE_LINES)
})

test('pages that left the screen are not waited for', async () => {
  const aborted: number[] = []
  const read: ReadLog = (first, count, signal) =>
    first === 1 && count === PAGE_LINES && aborted.length === 0 && !opened
      ? Promise.resolve(logPage({ lines: numbered(PAGE_LINES), total: 50_000, asOfSeq: 9 }))
      : new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            aborted.push(first)
            reject(new Error('aborted'))
          }),
        )
  let opened = false
  const store = new LogStore(read, atOnce)
  await store.resync()
  opened = true

  store.want(20_001, 20_050)
  store.want(40_001, 40_050)
  await settled()

  expect(aborted).toEqual([20_001])
})

test('a colour that a line leaves on goes on in the next', async () => {
  const { read } = serverOf(['\x1b[31mred', 'still red\x1b[0m', 'plain'], 1)
  const store = new LogStore(read, atOnce)
  await store.resync()

  expect([store.line(1)?.before.fg, store.line(2)?.before.fg, store.line(3)?.before.fg]).toEqual([
    undefined,
    1,
    undefined,
  ])
})
