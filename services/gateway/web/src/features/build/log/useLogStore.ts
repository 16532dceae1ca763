/** The log store of a build in React: opened with the page, fed by the connection, closed with the page. */
import { useEffect, useState, useSyncExternalStore } from 'react'
import { LogStore } from '@/features/build/log/model/log-store'
import { useApp } from '@/shared/api/app-context'
import { paced } from '@/shared/live/frame'
import type { Build, LogPage } from '@/shared/wire'

/** Lines appear with the next frame; while they pour in, this often. */
const LINES_MS = 40

export function useLogStore(buildId: string, opensAt: number): LogStore {
  const { api, connection } = useApp()
  const [store] = useState(
    () =>
      new LogStore(
        (first, count, signal) => api.get<LogPage>(`/builds/${buildId}/logs`, { first, count }, signal),
        paced(LINES_MS),
        opensAt,
      ),
  )
  useEffect(() => {
    const resync = () => store.resync().catch(() => undefined)
    const isOurs = (id: string | undefined) => id === undefined || id === buildId
    const stopListening = connection.listen({
      onSubscribed: () => resync(),
      onLog: (frame) => isOurs(frame.buildId) && store.apply(frame),
      onBuild: ({ build }) => isOurs(build.id) && store.follow(build),
      onResync: (id) => isOurs(id) && void resync(),
    })
    const unfollow = connection.follow(buildId, () => store.seq)
    void resync()
    return () => {
      unfollow()
      stopListening()
      store.close()
    }
  }, [store, connection, buildId])
  useSyncExternalStore(store.subscribe, store.snapshot)
  return store
}

/** Reads again what must be there by an ended build's row, and is not: a last frame may have been lost with a cut. */
export function useWholeLog(store: LogStore, build: Build): void {
  const isShort = store.isOpen && build.logLines > store.total && build.endedAt != null
  useEffect(() => {
    if (isShort) void store.resync().catch(() => undefined)
  }, [store, isShort, build.logLines])
}
