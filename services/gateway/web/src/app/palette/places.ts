/** Places: the pages one goes to by name, and the key that goes there after `g`. */
import { nav } from '@/shared/i18n'

export interface Place {
  path: string
  name: string
  key: string
  /** Others stand in the account menu: the bar stays short. */
  isInBar: boolean
  /** Needs a login, whatever is public. */
  isForPeople?: boolean
}

export const PLACES: readonly Place[] = [
  { path: '/', name: nav.now, key: 'n', isInBar: true },
  { path: '/p', name: nav.projects, key: 'p', isInBar: true },
  { path: '/failures', name: nav.failures, key: 'f', isInBar: true },
  { path: '/tests', name: nav.tests, key: 'e', isInBar: true },
  { path: '/history', name: nav.history, key: 'h', isInBar: true },
  { path: '/pins', name: nav.pins, key: 'i', isInBar: true },
  { path: '/agents', name: nav.agents, key: 'a', isInBar: true, isForPeople: true },
  { path: '/sources', name: nav.sources, key: 'u', isInBar: false, isForPeople: true },
  { path: '/c', name: nav.commits, key: 'c', isInBar: false },
  { path: '/gates', name: nav.gates, key: 'r', isInBar: false, isForPeople: true },
  { path: '/search', name: nav.search, key: 'l', isInBar: false, isForPeople: true },
  { path: '/notifications', name: nav.notifications, key: 'o', isInBar: false, isForPeople: true },
  { path: '/operation', name: nav.operation, key: 'x', isInBar: false, isForPeople: true },
  { path: '/settings', name: nav.settings, key: 's', isInBar: false, isForPeople: true },
  { path: '/account', name: nav.account, key: 'm', isInBar: false, isForPeople: true },
  { path: '/audit', name: nav.audit, key: 'd', isInBar: false, isForPeople: true },
]
