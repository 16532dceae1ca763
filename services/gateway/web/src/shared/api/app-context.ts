/** The page's long-lived parts, made once in `main.tsx` and handed down. */
import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Connection, Link } from '@/shared/live/connection'
import type { RowStore } from '@/shared/live/row-store'
import type { Rows } from '@/shared/live/rows'
import type { Api } from './client'
import type { Session, SessionState } from './session'

export interface App {
  session: Session
  api: Api
  connection: Connection
  rows: RowStore
}

export const AppContext = createContext<App | null>(null)

export function useApp(): App {
  const app = useContext(AppContext)
  if (app === null) throw new Error('useApp outside AppContext')
  return app
}

export function useSession(): SessionState {
  const { session } = useApp()
  return useSyncExternalStore(session.subscribe, session.snapshot)
}

/** Whether nobody is signed in: what changes something is not offered then. */
export function useIsVisitor(): boolean {
  return useSession().state === 'visiting'
}

export function useLink(): Link {
  const { connection } = useApp()
  return useSyncExternalStore(connection.subscribe, connection.snapshot)
}

export function useRows(): Rows {
  const { rows } = useApp()
  return useSyncExternalStore(rows.subscribe, rows.snapshot)
}
