/** Places: the pages one goes to by name, and the letter that `g` takes there. */
import { nav } from '@/shared/i18n'

export interface Place {
  path: string
  name: string
  letter: string
  /** Others stand in the account menu: the bar stays short. */
  isInBar: boolean
}

export const PLACES: readonly Place[] = [
  { path: '/', name: nav.now, letter: 'n', isInBar: true },
  { path: '/p', name: nav.projects, letter: 'p', isInBar: true },
  { path: '/failures', name: nav.failures, letter: 'f', isInBar: true },
  { path: '/tests', name: nav.tests, letter: 'e', isInBar: true },
  { path: '/history', name: nav.history, letter: 'h', isInBar: true },
  { path: '/pins', name: nav.pins, letter: 'i', isInBar: true },
  { path: '/agents', name: nav.agents, letter: 'a', isInBar: true },
  { path: '/c', name: nav.commits, letter: 'c', isInBar: false },
  { path: '/notifications', name: nav.notifications, letter: 'o', isInBar: false },
  { path: '/settings', name: nav.settings, letter: 's', isInBar: false },
]
