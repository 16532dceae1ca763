/** Tabs: the parts of a build's page, each with its own address. */

export const TABS = [
  'log',
  'failures',
  'tests',
  'steps',
  'metrics',
  'artifacts',
  'configuration',
  'compare',
  'events',
] as const

export type Tab = (typeof TABS)[number]

/** The tab an address names; `?compare=<build>` alone names one too. */
export function tabOf(params: URLSearchParams): Tab {
  return TABS.find((each) => each === params.get('tab')) ?? (params.has('compare') ? 'compare' : 'log')
}

export function searchOf(tab: Tab): string {
  return tab === 'log' ? '' : `?tab=${tab}`
}
