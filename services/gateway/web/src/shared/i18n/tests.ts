/** Words of the tests page: how tests go over many builds. */
import type { TestOrder } from '@/features/tests/queries'

export const testHistory = {
  title: 'Tests',
  lead: 'How each test went over the newest builds of a branch.',
  one: 'Test',
  all: 'All tests',
  name: 'Test',
  config: 'Configuration',
  runs: 'Runs',
  failed: 'Failed',
  passRate: 'Passed',
  flaky: 'Flaky',
  median: 'Median',
  lastFailure: 'Last failure',
  search: 'Search tests',
  order: 'Order',
  orders: { failing: 'Failing', flaky: 'Flaky', slowest: 'Slowest', name: 'By name' } satisfies Record<
    TestOrder,
    string
  >,
  more: 'Show more tests',
  noneMatches: 'No test matches.',
  calm: { failing: 'No test has failed lately', flaky: 'No test is known to be flaky' },
  calmHint: 'Choose another order to see every test there is.',
  emptyTitle: 'No tests are known',
  empty:
    'Tests appear here when a CI build ends that ran some: JUnit XML written during the build is read, and the output of lit, ctest, GoogleTest and pytest.',
  missing: 'This test did not run in the newest builds',
  missingHint: 'It may have another name now, or run on another branch.',
  builds: (count: number) => (count === 1 ? '1 build' : `${count} builds`),
  runsOf: (config: string) => `Runs in ${config}`,
  build: 'Build',
  commit: 'Commit',
  started: 'Started',
}
