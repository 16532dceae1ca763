/** Session: who is signed in. Holds the access token, in memory only, and renews it by the refresh cookie. */
import type { AccessGrant, SignInOptions } from '@/shared/wire'

/** Who visits has no login and sees what is public. */
export type SessionState =
  { state: 'starting' } | { state: 'signed-out' } | { state: 'visiting' } | { state: 'signed-in'; user: string }

/** Set while there may be a refresh cookie, which the page itself cannot see. */
const VISITED = 'build-dashboard-visited'

/** A token this close to its end is renewed before it is used. */
const MARGIN_MS = 60_000

export class SignedOut extends Error {
  constructor() {
    super('nobody is signed in')
  }
}

export class SignInFailed extends Error {
  constructor(
    readonly status: number,
    /** The password is right, and the code of the second factor is missing. */
    readonly isCodeMissing = false,
  ) {
    super(`signing in was answered with ${status}`)
  }
}

export class Session {
  private now: SessionState = { state: 'starting' }
  private token: { value: string; endsAt: number } | undefined
  private renewal: Promise<string> | undefined
  private readonly listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly snapshot = (): SessionState => this.now

  /** Signs in by the cookie of an earlier visit, if there was one; else visits what is public, if anything is. */
  async resume(): Promise<void> {
    if (localStorage.getItem(VISITED) === null) await this.visit()
    else await this.renew().catch(() => this.visit())
  }

  /** A visitor wants to sign in. */
  askToSignIn(): void {
    this.forget()
  }

  /** The next page load finds a cookie: the browser goes to sign in elsewhere and comes back with one. */
  expectCookie(): void {
    localStorage.setItem(VISITED, 'yes')
  }

  /** `code`: of the second factor, for an account that has one. */
  async signIn(username: string, password: string, code?: string): Promise<void> {
    const answer = await post('/api/auth/login', { username, password, code })
    if (!answer.ok) throw new SignInFailed(answer.status, answer.headers.get('www-authenticate') === 'Totp')
    this.take((await answer.json()) as AccessGrant)
  }

  async signOut(): Promise<void> {
    const token = this.token?.value
    this.forget()
    await post('/api/auth/logout', {}, token).catch(() => undefined)
  }

  /** A token that is good for a while, a visitor's is empty; rejects with SignedOut when there is none to be had. */
  async accessToken(): Promise<string> {
    if (this.now.state === 'visiting') return ''
    if (this.token !== undefined && this.token.endsAt - Date.now() > MARGIN_MS) return this.token.value
    return this.renew()
  }

  /** A new token, at any age of the present one: the server refused it, or it is about to end. */
  renew(): Promise<string> {
    if (this.now.state === 'visiting') return Promise.resolve('')
    this.renewal ??= this.askForRenewal().finally(() => (this.renewal = undefined))
    return this.renewal
  }

  private async visit(): Promise<void> {
    const options = await signInOptions().catch(() => undefined)
    this.become({ state: options?.isPublic ? 'visiting' : 'signed-out' })
  }

  private async askForRenewal(): Promise<string> {
    // The server lets a refresh cookie be used once: two tabs must not spend the same one.
    const answer = await withLock('build-dashboard-refresh', () => post('/api/auth/refresh', {}))
    if (answer.ok) return this.take((await answer.json()) as AccessGrant)
    if (answer.status >= 500 || answer.status === 429)
      throw new Error(`the token could not be renewed: ${answer.status}`)
    this.forget()
    throw new SignedOut()
  }

  private take(grant: AccessGrant): string {
    this.token = { value: grant.accessToken, endsAt: Date.now() + grant.expiresIn * 1000 }
    localStorage.setItem(VISITED, 'yes')
    this.become({ state: 'signed-in', user: subjectOf(grant.accessToken) })
    return grant.accessToken
  }

  private forget(): void {
    this.token = undefined
    localStorage.removeItem(VISITED)
    this.become({ state: 'signed-out' })
  }

  private become(state: SessionState): void {
    this.now = state
    for (const listener of this.listeners) listener()
  }
}

/** How one may sign in here, and whether one needs to. */
export async function signInOptions(): Promise<SignInOptions> {
  const answer = await fetch('/api/auth/options')
  if (!answer.ok) throw new SignInFailed(answer.status)
  return (await answer.json()) as SignInOptions
}

/** The name in a token; for showing only, the server judges the token. */
function subjectOf(token: string): string {
  try {
    const claims = token.split('.')[1] ?? ''
    const { sub } = JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/'))) as { sub?: unknown }
    return typeof sub === 'string' ? sub : ''
  } catch {
    return ''
  }
}

function post(path: string, body: unknown, token?: string): Promise<Response> {
  return fetch(path, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(body),
  })
}

// Locks exist in secure contexts only; over plain HTTP two tabs may rarely both ask, and one asks again.
function withLock<T>(name: string, act: () => Promise<T>): Promise<T> {
  return 'locks' in navigator ? (navigator.locks.request(name, act) as Promise<T>) : act()
}
