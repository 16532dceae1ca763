/** Tab state: the browser tab's title and icon show how things stand without opening it. */
import { useEffect, useSyncExternalStore } from 'react'
import { useLink, useRows } from '@/shared/api/app-context'
import { percent } from '@/shared/format'
import { statusOf, type ShownStatus } from '@/shared/format/status'
import { product, shownStatusName, tab } from '@/shared/i18n'
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
    const shown = [...rows.values()].map(statusOf)
    const count = (status: ShownStatus) => shown.filter((each) => each === status).length
    const [running, failing] = [count('running'), count('failing')]
    document.title = build === undefined ? overviewTitle(name, running, failing, red) : buildTitle(build)
    const icon =
      link.state === 'offline'
        ? 'offline'
        : build === undefined
          ? overviewIcon(running, failing, red)
          : buildIcon(build)
    document.getElementById('favicon')?.setAttribute('href', `/icon-${icon}.svg`)
  }, [link.state, rows, build, name, red])
}

function overviewTitle(name: string | undefined, running: number, failing: number, red: number): string {
  const counts = [red > 0 && tab.red(red), failing > 0 && tab.failing(failing), running > 0 && tab.running(running)]
    .filter(Boolean)
    .join(', ')
  return [counts, name, product].filter(Boolean).join(' · ')
}

function overviewIcon(running: number, failing: number, red: number): string {
  if (failing > 0) return 'failing'
  if (red > 0) return 'failed'
  return running > 0 ? 'running' : 'idle'
}

function buildTitle(build: Build): string {
  const isRunning = build.status === 'running' && build.progress != null
  const state = [
    build.failing && shownStatusName.failing,
    isRunning ? percent(build.progress ?? 0) : !build.failing && shownStatusName[build.status],
  ]
    .filter(Boolean)
    .join(' ')
  return `${state} · ${build.project} · ${product}`
}

function buildIcon(build: Build): string {
  const icons: Partial<Record<ShownStatus, string>> = {
    running: 'running',
    failing: 'failing',
    succeeded: 'passed',
    failed: 'failed',
  }
  return icons[statusOf(build)] ?? (build.status === 'timed_out' || build.status === 'lost' ? 'failed' : 'idle')
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
