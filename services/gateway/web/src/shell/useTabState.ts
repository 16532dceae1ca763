/** Tab state: the browser tab's title and icon tell how things stand without opening it. */
import { useEffect, useSyncExternalStore } from 'react'
import { useLink, useRows } from '../app/app-context'
import { percent } from '../format'
import { product, statusName } from '../strings'
import type { Build } from '../wire'

let subject: Build | undefined
const watchers = new Set<() => void>()

/** Makes the tab speak of one build while the caller is shown. */
export function useTabSubject(build: Build | undefined): void {
  useEffect(() => {
    setSubject(build)
    return () => setSubject(undefined)
  }, [build])
}

export function useTabState(): void {
  const link = useLink()
  const rows = useRows()
  const build = useSyncExternalStore(subscribe, () => subject)
  useEffect(() => {
    const running = [...rows.values()].filter((row) => row.status === 'running').length
    document.title = build === undefined ? overviewTitle(running) : buildTitle(build)
    const icon = link.state === 'offline' ? 'offline' : build === undefined ? overviewIcon(running) : buildIcon(build)
    document.getElementById('favicon')?.setAttribute('href', `/icon-${icon}.svg`)
  }, [link.state, rows, build])
}

function overviewTitle(running: number): string {
  return running > 0 ? `(${running}) ${product}` : product
}

function overviewIcon(running: number): string {
  return running > 0 ? 'running' : 'idle'
}

function buildTitle(build: Build): string {
  const isRunning = build.status === 'running' && build.progress != null
  const state = isRunning ? percent(build.progress ?? 0) : statusName[build.status]
  return `${state} · ${build.project} · ${product}`
}

function buildIcon(build: Build): string {
  const icons: Partial<Record<Build['status'], string>> = { running: 'running', succeeded: 'passed', failed: 'failed' }
  return icons[build.status] ?? (build.status === 'timed_out' || build.status === 'lost' ? 'failed' : 'idle')
}

function setSubject(build: Build | undefined): void {
  subject = build
  for (const watcher of watchers) watcher()
}

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}
