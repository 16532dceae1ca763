/** Entry: makes the long-lived parts and draws the page. */
import '@mantine/core/styles.layer.css'
import '@/shared/theme/tokens.css'
import '@/shared/theme/global.css'
import { QueryClient } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { Api, ApiError } from '@/shared/api/client'
import { Session, SignedOut } from '@/shared/api/session'
import { Connection } from '@/shared/live/connection'
import { paced } from '@/shared/live/frame'
import { RowStore } from '@/shared/live/row-store'
import { VIEWER_SUBPROTOCOL } from '@/shared/wire'
import { HistoryFreshness } from './freshness'
import { Providers } from './providers'
import { Pages, preloadPage } from './routes'

/** Rows change what many parts show: ten times a second is as live as a reader can see. */
const ROWS_MS = 100
const FIRST_CHECK_MS = 1000

const session = new Session()
const api = new Api(session)
const rows = new RowStore(paced(ROWS_MS))
const socketUrl = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`
const connection = new Connection(
  session,
  () => new WebSocket(socketUrl, VIEWER_SUBPROTOCOL),
  () => api.get('/auth/me'),
)

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Pushed rows keep what is shown fresh; reading again is for reconnects.
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => !(error instanceof SignedOut) && !isRefusal(error) && failures < 3,
    },
  },
})

const history = new HistoryFreshness(queries)

let hasConnected = false

connection.listen({
  onSubscribed: (isNewConnection) => {
    if (!isNewConnection) return
    // What happened since something was read and before pushes came is read again: at the first connection that was a
    // moment ago, and can wait until the page is drawn.
    setTimeout(() => void queries.invalidateQueries(), hasConnected ? 0 : FIRST_CHECK_MS)
    hasConnected = true
  },
  onBuild: (frame) => {
    rows.push(frame.build)
    history.noticed(frame.build)
    if (frame.events.some((event) => event.startsWith('ARTIFACT_')))
      void queries.invalidateQueries({ queryKey: ['artifacts', frame.build.id] })
  },
  onResync: (buildId) => {
    if (buildId === undefined) void queries.invalidateQueries()
  },
})

addEventListener('online', () => connection.hurry())
addEventListener('offline', () => connection.doubt())
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') connection.hurry()
})

session.subscribe(() => {
  if (['signed-in', 'visiting'].includes(session.snapshot().state)) connection.start()
  else {
    connection.stop()
    rows.clear()
    queries.clear()
  }
})
preloadPage(location.pathname)
void session.resume()

createRoot(document.getElementById('root') as HTMLElement).render(
  <Providers app={{ session, api, connection, rows }} queries={queries}>
    <Pages />
  </Providers>,
)

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status < 500 && error.status !== 429
}
