/** Places: the pages one goes to by name, and the letter that `g` takes there. */
import { nav } from '../strings'

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
  { path: '/history', name: nav.history, letter: 'h', isInBar: true },
]
