/**
 * Connection: the page's one WebSocket. Signs in, subscribes, hands frames on, and comes back after any cut.
 * Where no WebSocket passes, and REST does, everything is read again every few seconds instead.
 */
import { CLOSE_BAD_TOKEN, type BuildChanged, type LogAppended, type ViewerEvent } from '@/shared/wire'
import { backoffMs } from './backoff'

/** `catching-up`: connected, and reading again what changed meanwhile. `polling`: no WebSocket passes, REST does. */
export type LinkState = 'connecting' | 'catching-up' | 'live' | 'polling' | 'offline'

export interface Link {
  state: LinkState
  /** When this state began, ms since the epoch. */
  since: number
}

/** What is notified of frames; every method is optional. */
export interface Listener {
  /** The subscription stands, on a new connection or changed: read the snapshot now. The link is live when all have. */
  onSubscribed?: (isNewConnection: boolean) => Promise<void> | void
  onBuild?: (frame: BuildChanged) => void
  onLog?: (frame: LogAppended) => void
  /** Read a build's log (or, without an id, everything) again. */
  onResync?: (buildId: string | undefined) => void
}

export interface Tokens {
  accessToken(): Promise<string>
  renew(): Promise<string>
}

/** What the connection needs of a WebSocket. */
export interface Socket {
  readonly readyState: number
  onopen: ((event: Event) => void) | null
  onmessage: ((event: MessageEvent<string>) => void) | null
  onclose: ((event: CloseEvent) => void) | null
  send(text: string): void
  close(): void
}

/** `readyState` of a socket that takes frames. */
const OPEN = 1
const PING_MS = 20_000
const SILENCE_MS = 45_000
/** A socket that is not let in by then never is: something swallows it. */
const READY_MS = 5_000
const POLL_MS = 3_000
const HIDDEN_POLL_MS = 30_000
/** While polling, a socket is tried again about this often. */
const PROBE_MS = 60_000

export class Connection {
  private now: Link = { state: 'connecting', since: Date.now() }
  private socket: Socket | undefined
  private isWanted = false
  private isReady = false
  private failures = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private heartbeat: ReturnType<typeof setInterval> | undefined
  private renewal: ReturnType<typeof setTimeout> | undefined
  private awaited: ReturnType<typeof setTimeout> | undefined
  private polling: ReturnType<typeof setTimeout> | undefined
  private isReaching = false
  private lastFrameAt = 0
  /** Counts subscriptions, so that only the newest one's reading decides when the link is live. */
  private round = 0
  private readonly listeners = new Set<Listener>()
  private readonly watchers = new Set<() => void>()
  /** Followed builds and how to learn where their followers stand. */
  private readonly followed = new Map<string, () => number>()

  constructor(
    private readonly tokens: Tokens,
    private readonly openSocket: () => Socket,
    /** Resolves where the server answers by REST. */
    private readonly reach: () => Promise<unknown> = () => Promise.reject(new Error('not asked')),
  ) {}

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  readonly snapshot = (): Link => this.now

  listen(listener: Listener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Asks for the log text of a build from record `cursor() + 1` on; call what it returns to stop. */
  follow(buildId: string, cursor: () => number): () => void {
    this.followed.set(buildId, cursor)
    this.sendSubscription()
    return () => {
      this.followed.delete(buildId)
      this.sendSubscription()
    }
  }

  start(): void {
    if (this.isWanted) return
    this.isWanted = true
    void this.open()
  }

  stop(): void {
    this.isWanted = false
    this.stopPolling()
    this.drop()
  }

  /** Someone looks, or the network is back: try now instead of later. */
  hurry(): void {
    if (!this.isWanted) return
    if (this.socket === undefined) {
      clearTimeout(this.retry)
      void this.open()
    } else this.ping()
  }

  /** The network is reported gone: the socket would notice in a minute, the page shows it now. */
  doubt(): void {
    if (this.socket !== undefined) this.lost(undefined)
  }

  private async open(): Promise<void> {
    this.retry = undefined
    let token: string
    try {
      token = await this.tokens.accessToken()
    } catch {
      this.lost(undefined)
      return
    }
    if (!this.isWanted || this.socket !== undefined) return
    const socket = this.openSocket()
    this.socket = socket
    socket.onopen = () => this.send({ type: 'AUTH', token })
    socket.onmessage = (event) => this.received(JSON.parse(event.data) as ViewerEvent)
    socket.onclose = (event) => {
      if (this.socket === socket) this.lost(event.code)
    }
    this.lastFrameAt = Date.now()
    this.awaited = setTimeout(() => this.lost(undefined), READY_MS)
    this.heartbeat = setInterval(() => this.ping(), PING_MS)
  }

  private received(frame: ViewerEvent): void {
    this.lastFrameAt = Date.now()
    switch (frame.type) {
      case 'READY':
        this.renewLater(frame.expiresAt - frame.serverAt)
        if (!this.isReady) {
          this.isReady = true
          clearTimeout(this.awaited)
          this.stopPolling()
          this.sendSubscription()
        }
        return
      case 'SUBSCRIBED':
        void this.catchUp()
        return
      case 'BUILD':
        for (const listener of this.listeners) listener.onBuild?.(frame)
        return
      case 'LOG':
        for (const listener of this.listeners) listener.onLog?.(frame)
        return
      case 'RESYNC':
        for (const listener of this.listeners) listener.onResync?.(frame.buildId ?? undefined)
        return
      case 'PONG':
        return
      case 'WARNING':
        console.warn(frame.detail)
        return
      // A frame of a newer gateway is none of ours.
      default:
    }
  }

  private async catchUp(): Promise<void> {
    const round = ++this.round
    const isNew = this.now.state !== 'live'
    this.failures = 0
    if (isNew) this.become('catching-up')
    await Promise.allSettled([...this.listeners].map(async (listener) => listener.onSubscribed?.(isNew)))
    if (round === this.round && this.isReady) this.become('live')
  }

  private sendSubscription(): void {
    if (!this.isReady) return
    const afterSeq = Object.fromEntries([...this.followed].map(([id, cursor]) => [id, cursor()]))
    this.send({ type: 'SUBSCRIBE', projects: ['*'], events: ['*'], buildIds: Object.keys(afterSeq), afterSeq })
  }

  private renewLater(lifeMs: number): void {
    clearTimeout(this.renewal)
    this.renewal = setTimeout(
      () => {
        // The gateway closes with "bad token" at the end; that path decides what the reader is shown.
        this.tokens.renew().then(
          (token) => this.send({ type: 'AUTH', token }),
          () => undefined,
        )
      },
      Math.max(1000, lifeMs * 0.75),
    )
  }

  private ping(): void {
    if (Date.now() - this.lastFrameAt > SILENCE_MS) this.lost(undefined)
    else this.send({ type: 'PING' })
  }

  private lost(code: number | undefined): void {
    const wasReady = this.isReady
    this.drop()
    if (!this.isWanted) return
    if (this.now.state !== 'offline' && this.now.state !== 'polling') this.become('offline')
    this.failures += 1
    const again = () => {
      const waitMs = this.now.state === 'polling' ? PROBE_MS : backoffMs(this.failures, Math.random())
      this.retry = setTimeout(() => void this.open(), waitMs)
    }
    // A gateway that goes takes its sockets along; one that lets none in may still answer.
    if (!wasReady && code !== CLOSE_BAD_TOKEN && this.polling === undefined) void this.poll()
    // A refused token is renewed first; when that is refused too the session ends and so does this connection.
    if (code === CLOSE_BAD_TOKEN) void this.tokens.renew().then(again, again)
    else again()
  }

  /** Reads everything again by REST, and goes on doing so for as long as no socket is let in. */
  private async poll(): Promise<void> {
    if (this.isReaching) return
    this.isReaching = true
    const isThere = await this.reach().then(
      () => true,
      () => false,
    )
    this.isReaching = false
    if (!this.isWanted || this.isReady) return
    this.polling = undefined
    if (!isThere) {
      if (this.now.state === 'polling') this.become('offline')
      return
    }
    if (this.now.state !== 'polling') this.become('polling')
    for (const listener of this.listeners) listener.onResync?.(undefined)
    const waitMs = globalThis.document?.visibilityState === 'hidden' ? HIDDEN_POLL_MS : POLL_MS
    this.polling = setTimeout(() => void this.poll(), waitMs)
  }

  private stopPolling(): void {
    clearTimeout(this.polling)
    this.polling = undefined
  }

  private drop(): void {
    clearTimeout(this.awaited)
    clearInterval(this.heartbeat)
    clearTimeout(this.renewal)
    clearTimeout(this.retry)
    const socket = this.socket
    this.socket = undefined
    this.isReady = false
    socket?.close()
  }

  private send(frame: object): void {
    if (this.socket?.readyState === OPEN) this.socket.send(JSON.stringify(frame))
  }

  private become(state: LinkState): void {
    this.now = { state, since: Date.now() }
    for (const watcher of this.watchers) watcher()
  }
}
