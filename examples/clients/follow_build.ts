// Print a build's log while it is made, across lost connections: `node follow_build.ts BUILD_ID`, Node 22.18 or newer.
// Written from docs/protocol.md. BUILD_DASHBOARD_URL says where; `admin` logs in with BUILD_DASHBOARD_ADMIN_PASSWORD.
type Build = { id: string; status: string; logLines: number }
type LogPage = { first: number; lines: string[]; total: number; asOfSeq: number }
type Frame =
  | { type: 'READY' | 'SUBSCRIBED' | 'RESYNC' | 'PONG' }
  | { type: 'BUILD'; build: Build }
  | { type: 'LOG'; afterSeq: number; seq: number; firstLine: number; lines: string[]; continues?: boolean }
  | { type: 'WARNING'; detail: string }

const url = process.env.BUILD_DASHBOARD_URL!
const id = process.argv[2]!
let lines: string[] = []
let seq = 0
let printed = 0
let build: Build = { id, status: 'running', logLines: 0 }

async function ask<T>(path: string, token?: string, body?: object): Promise<T> {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) }
  const answer = await fetch(url + path, { method: body ? 'POST' : 'GET', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}

/** All that is stored from the last line on, of which we may have a part only. */
async function readRange(token: string): Promise<void> {
  for (let total = Infinity; lines.length < total; ) {
    const first = Math.max(lines.length, 1)
    const page = await ask<LogPage>(`/api/builds/${id}/logs?first=${first}&count=10000`, token)
    lines = [...lines.slice(0, page.first - 1), ...page.lines]
    ;({ total, asOfSeq: seq } = page)
  }
}

async function take(frame: Frame, token: string): Promise<void> {
  if (frame.type === 'SUBSCRIBED') build = await ask<Build>(`/api/builds/${id}`, token)
  if (frame.type === 'SUBSCRIBED' || frame.type === 'RESYNC') await readRange(token)
  else if (frame.type === 'BUILD' && frame.build.id === id) build = frame.build
  else if (frame.type === 'WARNING') console.error(frame.detail)
  else if (frame.type === 'LOG' && frame.seq > seq) {
    // The first element of a frame that goes on belongs to the line before.
    if (frame.afterSeq > seq || (frame.continues && frame.afterSeq < seq)) return readRange(token)
    const [first = '', ...rest] = frame.lines
    const head = frame.continues ? (lines.at(-1) ?? '') : ''
    lines = [...lines.slice(0, frame.firstLine - 1), head + first, ...rest]
    seq = frame.seq
  }
}

/** Print what is new; the last line may still go on. Whether the build is over and its log whole. */
function show(): boolean {
  const isOver = !['queued', 'running'].includes(build.status) && lines.length >= build.logLines
  const end = isOver ? lines.length : Math.max(lines.length - 1, printed)
  for (const line of lines.slice(printed, end)) console.log(line)
  printed = end
  return isOver
}

/** One connection, until it is lost or the build is over. */
async function follow(): Promise<void> {
  const account = { username: 'admin', password: process.env.BUILD_DASHBOARD_ADMIN_PASSWORD }
  const { accessToken } = await ask<{ accessToken: string }>('/api/auth/login', undefined, account)
  // Programs say the dashboard's own origin, which a browser does by itself; its types know no such option.
  const options = { headers: { Origin: url } } as unknown as string[]
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, options)
  const send = (frame: object) => socket.send(JSON.stringify(frame))
  let taken = Promise.resolve()
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => {
      send({ type: 'AUTH', token: accessToken })
      send({ type: 'SUBSCRIBE', buildIds: [id], afterSeq: { [id]: seq } })
    }
    socket.onmessage = ({ data }) => {
      taken = taken.then(() => take(JSON.parse(data), accessToken)).then(() => void (show() && socket.close()))
      taken.catch(reject)
    }
    socket.onclose = () => resolve()
    socket.onerror = () => reject(new Error('the connection failed'))
  })
  await taken
}

while (!show()) {
  try {
    await follow()
  } catch (error) {
    console.error(`again in 1 s: ${String(error)}`)
  }
  if (!show()) await new Promise((resolve) => setTimeout(resolve, 1000))
}
