/** REST: one function that asks with the session's token and turns problem answers into errors. */
import type { Problem } from '@/shared/wire'
import type { Session } from './session'

/** A refusal, with the sentence that explains it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** What to do about it, where the server says so. */
    readonly remedy?: string,
  ) {
    super(message)
  }

  get isMissing(): boolean {
    return this.status === 404
  }
}

/** A list is sent as one parameter per value. */
export type Params = Record<string, string | number | boolean | readonly string[] | undefined>

export class Api {
  constructor(private readonly session: Session) {}

  /** The JSON at a path under `/api`; rejects with ApiError, or TypeError when the network is down. */
  async get<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
    const answer = await this.ask(path + queryOf(params), { signal })
    return (await answer.json()) as T
  }

  /** The JSON values of an answer that has one a line, as they come. */
  async *lines<T>(path: string, params: Params = {}, signal?: AbortSignal): AsyncGenerator<T> {
    const { body } = await this.ask(path + queryOf(params), { signal })
    if (body !== null) for await (const line of linesOf(body)) yield JSON.parse(line) as T
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.send('POST', path, body)
  }

  /** For an answer that has no body. */
  async postSilent(path: string, body: unknown): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    await this.ask(path, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.send('PATCH', path, body)
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.send('PUT', path, body)
  }

  async delete(path: string): Promise<void> {
    await this.ask(path, { method: 'DELETE' })
  }

  /** The bytes at a path, for a download. */
  async blob(path: string, params: Params = {}): Promise<Blob> {
    return (await this.ask(path + queryOf(params), {})).blob()
  }

  private async send<T>(method: string, path: string, body: unknown): Promise<T> {
    const headers = { 'content-type': 'application/json' }
    const answer = await this.ask(path, { method, headers, body: JSON.stringify(body) })
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }

  private async ask(path: string, init: RequestInit): Promise<Response> {
    const token = await this.session.accessToken()
    let answer = await this.askOnce(path, init, token)
    // Revoked or ended early by a clock that is off: one new token, then the answer counts.
    if (answer.status === 401 && token !== '') answer = await this.askOnce(path, init, await this.session.renew())
    if (!answer.ok) throw await errorOf(answer)
    return answer
  }

  private askOnce(path: string, init: RequestInit, token: string): Promise<Response> {
    const headers = token === '' ? init.headers : { ...init.headers, authorization: `Bearer ${token}` }
    return fetch(`/api${path}`, { ...init, headers })
  }
}

/** The whole lines of a body; one that was cut off has no end, and is no line. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } finally {
    // Who stops reading in the midst wants no more of it.
    await reader.cancel()
  }
}

function queryOf(params: Params): string {
  const given = Object.entries(params).flatMap(([name, value]) => {
    const values = Array.isArray(value) ? value : [value]
    return values.filter((each) => each !== undefined && each !== '').map((each) => [name, String(each)])
  })
  const query = new URLSearchParams(given).toString()
  return query === '' ? '' : `?${query}`
}

/** Why an answer refuses, in its own sentence where it has one: what stands before the server may answer anything. */
export async function errorOf(answer: Response): Promise<ApiError> {
  const problem = (await answer.json().catch(() => null)) as Partial<Problem> | null
  const sentence = [problem?.detail, problem?.title].find((each) => typeof each === 'string' && each !== '')
  const remedy = typeof problem?.remedy === 'string' ? problem.remedy : undefined
  return new ApiError(answer.status, sentence ?? `answered with ${answer.status}`, remedy)
}
