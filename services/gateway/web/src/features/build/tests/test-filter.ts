/** Test filter: which results of a build's tests are shown, and in what order; kept in the address. */
import type { TestResult } from '@/shared/wire'

export type Outcome = TestResult['outcome']

export interface TestFilter {
  outcomes: readonly Outcome[]
  text: string | undefined
  sort: 'order' | 'slowest'
}

/** Outcomes that mean something is wrong, and in the order in which they are shown. */
export const BAD: readonly Outcome[] = ['failed', 'crashed', 'timed_out', 'unresolved', 'xpassed']
export const OUTCOMES: readonly Outcome[] = [...BAD, 'flaky', 'passed', 'xfailed', 'skipped']

export function filterOf(params: URLSearchParams): TestFilter {
  const named = params.getAll('outcome')
  return {
    outcomes: OUTCOMES.filter((outcome) => named.includes(outcome)),
    text: params.get('q') ?? undefined,
    sort: params.get('sort') === 'slowest' ? 'slowest' : 'order',
  }
}

/** The address of the tests tab with this filter. */
export function paramsOf({ outcomes, text, sort }: TestFilter): URLSearchParams {
  const params = new URLSearchParams({ tab: 'tests' })
  for (const outcome of outcomes) params.append('outcome', outcome)
  if (text) params.set('q', text)
  if (sort === 'slowest') params.set('sort', sort)
  return params
}
