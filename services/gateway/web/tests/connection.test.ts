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
    this.sent.push(JSON.parse(text) as Record<string, unknown>)
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

function connect(reach?: () => Promise<unknown>): Connection {
  const open = () => {
    const socket = new FakeSocket()
    sockets.push(socket)
    return socket
  }
  const connection = new Connection(tokens, open, reach)
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

test('where no socket is let in and REST answers, everything is read again every few seconds', async () => {
  const reach = vi.fn(async () => undefined)
  const connection = connect(reach)
  const read: unknown[] = []
  connection.listen({ onResync: (buildId) => read.push(buildId) })
  await settle()

  newest().cut(1006)
  await settle()
  expect(connection.snapshot().state).toBe('polling')
  await vi.advanceTimersByTimeAsync(9000)

  expect(read).toEqual([undefined, undefined, undefined, undefined])
  expect(sockets).toHaveLength(2)
})

test('a socket that is swallowed is given up, and one that passes later takes over from polling', async () => {
  const connection = connect(async () => undefined)
  let count = 0
  connection.listen({ onResync: () => void (count += 1) })
  await settle()

  await vi.advanceTimersByTimeAsync(5001)
  expect(connection.snapshot().state).toBe('polling')
  while (newest().readyState === 3) await vi.advanceTimersByTimeAsync(1000)
  newest().welcome()
  await settle()
  const before = count
  await vi.advanceTimersByTimeAsync(10_000)

  expect(connection.snapshot().state).toBe('live')
  expect(count).toBe(before)
})

test('where neither a socket nor REST answers the page is offline', async () => {
  const reach = vi.fn(async () => undefined)
  const connection = connect(reach)
  await settle()
  newest().cut(1006)
  await settle()
  expect(connection.snapshot().state).toBe('polling')

  reach.mockRejectedValue(new Error('away'))
  await vi.advanceTimersByTimeAsync(3001)

  expect(connection.snapshot().state).toBe('offline')
})
