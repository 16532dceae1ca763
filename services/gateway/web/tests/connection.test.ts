import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Connection, type Socket } from '@/shared/live/connection'
import type { LogAppended, ViewerEvent } from '@/shared/wire'
import { buildRow, logFrame } from './frames'

/** The gateway's end of a socket. */
class FakeSocket implements Socket {
  readyState = 0
  onopen: Socket['onopen'] = null
  onmessage: Socket['onmessage'] = null
  onclose: Socket['onclose'] = null
  readonly sent: Record<string, unknown>[] = []

  send(text: string) {
    this.sent.push(JSON.parse(text))
  }

  close() {
    this.readyState = 3
  }

  accept() {
    this.readyState = 1
    this.onopen?.({} as Event)
  }

  push(event: Partial<ViewerEvent> & { type: ViewerEvent['type'] }) {
    this.onmessage?.({ data: JSON.stringify(event) } as MessageEvent<string>)
  }

  cut(code: number) {
    this.readyState = 3
    this.onclose?.({ code } as CloseEvent)
  }

  /** Takes the page in: AUTH, READY, SUBSCRIBE, SUBSCRIBED. */
  welcome() {
    this.accept()
    this.push({ type: 'READY', user: 'ana', serverAt: 0, expiresAt: 600_000 })
    this.push({ type: 'SUBSCRIBED' })
  }
}

let sockets: FakeSocket[]
let tokens: { accessToken: () => Promise<string>; renew: ReturnType<typeof vi.fn<() => Promise<string>>> }

function connect(): Connection {
  const connection = new Connection(tokens, () => {
    const socket = new FakeSocket()
    sockets.push(socket)
    return socket
  })
  connection.start()
  return connection
}

const settle = () => vi.advanceTimersByTimeAsync(0)
const newest = () => sockets.at(-1) as FakeSocket

beforeEach(() => {
  vi.useFakeTimers()
  sockets = []
  tokens = { accessToken: async () => 'token', renew: vi.fn(async () => 'renewed') }
})

afterEach(() => {
  vi.useRealTimers()
})

test('it is live only when everyone has read the snapshot again', async () => {
  const connection = connect()
  await settle()
  let finish = () => {}
  connection.listen({ onSubscribed: () => new Promise((resolve) => (finish = resolve)) })

  newest().welcome()
  expect(newest().sent.map((frame) => frame.type)).toEqual(['AUTH', 'SUBSCRIBE'])
  expect(connection.snapshot().state).toBe('catching-up')
  finish()
  await settle()

  expect(connection.snapshot().state).toBe('live')
})

test('after a cut it shows offline, comes back, and goes on from where each follower stands', async () => {
  const connection = connect()
  await settle()
  let seq = 3
  connection.follow('b', () => seq)
  newest().welcome()
  await settle()

  seq = 17
  newest().cut(1006)
  expect(connection.snapshot().state).toBe('offline')
  await vi.advanceTimersByTimeAsync(1000)
  newest().welcome()
  await settle()

  expect(sockets).toHaveLength(2)
  expect(newest().sent[1]).toMatchObject({ type: 'SUBSCRIBE', buildIds: ['b'], afterSeq: { b: 17 } })
  expect(connection.snapshot().state).toBe('live')
})

test('following and leaving a build changes the subscription without reading everything again', async () => {
  const connection = connect()
  await settle()
  const read: boolean[] = []
  connection.listen({ onSubscribed: (isNewConnection) => void read.push(isNewConnection) })
  newest().welcome()
  await settle()

  const leave = connection.follow('b', () => 0)
  newest().push({ type: 'SUBSCRIBED' })
  leave()

  expect(read).toEqual([true, false])
  expect(newest().sent.at(-1)).toMatchObject({ type: 'SUBSCRIBE', buildIds: [] })
})

test('frames reach whoever listens, and unknown ones are ignored', async () => {
  const connection = connect()
  await settle()
  const received: unknown[] = []
  connection.listen({
    onBuild: ({ build }) => received.push(build.id),
    onLog: (frame: LogAppended) => received.push(frame.seq),
    onResync: (buildId) => received.push(buildId),
  })
  newest().welcome()

  newest().push({ type: 'BUILD', events: [], build: buildRow({ id: 'b' }) })
  newest().push(logFrame({ seq: 5 }))
  newest().push({ type: 'RESYNC', buildId: null, reason: 'overflow' })
  newest().push({ type: 'FROM_THE_FUTURE' as 'PONG' })

  expect(received).toEqual(['b', 5, undefined])
})

test('a refused token is renewed before the next try', async () => {
  connect()
  await settle()
  newest().accept()

  newest().cut(4401)
  await vi.advanceTimersByTimeAsync(1000)

  expect(tokens.renew).toHaveBeenCalledOnce()
  expect(sockets).toHaveLength(2)
})

test('the token is sent again before it ends', async () => {
  connect()
  await settle()
  newest().welcome()
  const ping = setInterval(() => newest().push({ type: 'PONG', serverAt: 0 }), 10_000)

  await vi.advanceTimersByTimeAsync(590_000)
  clearInterval(ping)

  expect(
    newest()
      .sent.filter((frame) => frame.type === 'AUTH')
      .map((frame) => frame.token),
  ).toEqual(['token', 'renewed'])
  expect(sockets).toHaveLength(1)
})

test('a gateway that sends nothing any more is left', async () => {
  const connection = connect()
  await settle()
  newest().welcome()
  await settle()

  await vi.advanceTimersByTimeAsync(61_000)

  expect(connection.snapshot().state).toBe('offline')
  expect(sockets[0]?.readyState).toBe(3)
})

test('when the network is back it tries at once', async () => {
  const connection = connect()
  await settle()
  newest().welcome()
  connection.doubt()
  expect(connection.snapshot().state).toBe('offline')

  connection.hurry()
  await settle()

  expect(sockets).toHaveLength(2)
})

test('stopped, it stays away', async () => {
  const connection = connect()
  await settle()
  newest().welcome()

  connection.stop()
  await vi.advanceTimersByTimeAsync(120_000)

  expect(sockets).toHaveLength(1)
  expect(sockets[0]?.readyState).toBe(3)
})
