/** Tab state: the browser tab's title and icon show how things stand without opening it. */
import { useEffect, useSyncExternalStore } from 'react'
import { useLink, useRows } from '@/shared/api/app-context'
import { percent } from '@/shared/format'
import { product, statusName, tab } from '@/shared/i18n'
import type { Build } from '@/shared/wire'

let subject: Build | undefined
let pageName: string | undefined
const watchers = new Set<() => void>()

/** Shows one build in the tab while the caller is shown. */
export function useTabSubject(build: Build | undefined): void {
  useEffect(() => {
    setSubject(build)
    return () => setSubject(undefined)
  }, [build])
}

/** Names the page in the tab while the caller is shown. */
export function useTabName(name: string): void {
  useEffect(() => {
    setName(name)
    return () => setName(undefined)
  }, [name])
}

/** `red` is how many incidents are open. */
export function useTabState(red: number): void {
  const link = useLink()
  const rows = useRows()
  const build = useSyncExternalStore(subscribe, () => subject)
  const name = useSyncExternalStore(subscribe, () => pageName)
  useEffect(() => {
    const running = [...rows.values()].filter((row) => row.status === 'running').length
    document.title = build === undefined ? overviewTitle(name, running, red) : buildTitle(build)
    const icon =
      link.state === 'offline' ? 'offline' : build === undefined ? overviewIcon(running, red) : buildIcon(build)
    document.getElementById('favicon')?.setAttribute('href', `/icon-${icon}.svg`)
  }, [link.state, rows, build, name, red])
}

function overviewTitle(name: string | undefined, running: number, red: number): string {
  const state = [red > 0 && tab.red(red), running > 0 && tab.running(running)].filter(Boolean).join(', ')
  return [state, name, product].filter(Boolean).join(' · ')
}

function overviewIcon(running: number, red: number): string {
  if (red > 0) return 'failed'
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

function setName(name: string | undefined): void {
  pageName = name
  for (const watcher of watchers) watcher()
}

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}
