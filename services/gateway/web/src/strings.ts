/** Strings: every English word of the page, in one place. */
import type { BuildStatus, Phase } from './wire'

export const product = 'Build Dashboard'

export const statusName: Record<BuildStatus, string> = {
  queued: 'Queued',
  running: 'Running',
  succeeded: 'Succeeded',
  failed: 'Failed',
  cancelled: 'Cancelled',
  timed_out: 'Timed out',
  lost: 'Lost',
}

export const phaseName: Record<Phase, string> = {
  configure: 'Configure',
  build: 'Build',
  link: 'Link',
  test: 'Test',
}

export const nav = { builds: 'Builds', main: 'Main', skip: 'Skip to the content' }

export const link = {
  connecting: 'Connecting',
  'catching-up': 'Catching up',
  live: 'Live',
  offline: 'Offline',
  offlineFor: (age: string) => `Offline for ${age}`,
  hint: {
    connecting: 'Opening the live connection.',
    'catching-up': 'Connected again; reading what changed meanwhile.',
    live: 'Changes appear here as they are stored.',
    offline: 'The page shows what it last heard, and keeps trying to connect.',
  },
}

export const login = {
  username: 'User name',
  password: 'Password',
  submit: 'Sign in',
  wrong: 'User name or password is wrong.',
  throttled: 'Too many tries. Wait a moment, then try again.',
  unreachable: 'The dashboard does not answer. Check that it is running and reachable.',
  hint: 'On a new dashboard the user is admin; the password was printed when it started.',
}

export const account = { menu: 'Account', signOut: 'Sign out', signedInAs: (user: string) => `Signed in as ${user}` }

export const list = {
  title: 'Builds',
  running: 'Running',
  recent: 'Recent',
  search: 'Search builds',
  searchHint: 'Commit, author, subject, agent…',
  project: 'Project',
  branch: 'Branch',
  status: 'Status',
  anyProject: 'All projects',
  anyBranch: 'All branches',
  anyStatus: 'Any status',
  more: 'Show older builds',
  exit: (code: number) => `exit ${code}`,
  warnings: (count: number) => (count === 1 ? '1 warning' : `${count} warnings`),
  none: 'No build matches.',
  clear: 'Clear the filters',
  failedToLoad: 'The builds could not be read.',
  retry: 'Try again',
  emptyTitle: 'No builds yet',
  emptyText: 'Put this in front of any build command. It dials out: no port is opened on the build machine.',
  emptyMore: 'The build shows up here with its first line of output.',
  copy: 'Copy',
  copied: 'Copied',
}

export const build = {
  back: 'All builds',
  missing: 'There is no such build, or you may not see it.',
  failedToLoad: 'The build could not be read.',
  started: 'Started',
  duration: 'Duration',
  agent: 'Agent',
  host: 'Host',
  exitCode: 'Exit code',
  reason: 'Reason',
  dirty: 'with local changes',
  local: 'local',
  premerge: 'premerge',
  silent: 'Agent silent',
  silentHint: 'The agent has not been heard for a while. The build goes on; its records arrive when the agent is back.',
  provisional: 'provisional',
  provisionalHint: 'The agent has been silent too long. If it comes back, its result replaces this one.',
  verified: 'Log verified',
  verifiedHint: 'Line count, bytes and checksum agree with what the agent sent.',
  steps: (done: string, total: string) => `${done} / ${total}`,
  left: (age: string) => `about ${age} left`,
  etaHint: 'Estimated from the progress so far.',
  noProgress: 'No progress reported yet',
  tabs: { log: 'Log', configuration: 'Configuration', events: 'Events' },
  failure: 'First failure',
  moreFailures: (count: number) => (count === 1 ? '1 more failure' : `${count} more failures`),
  toLine: (line: string) => `Line ${line}`,
  cpu: 'CPU time',
  memory: 'Peak memory',
  warnings: 'Warnings',
  cache: 'Cache hits',
  tests: 'Tests',
  testsPassed: (passed: string, total: string) => `${passed} / ${total}`,
  cancel: 'Cancel build',
  cancelTitle: 'Cancel this build?',
  cancelText: 'The agent stops the command and everything it started. Output up to then is kept.',
  cancelKeep: 'Keep building',
  cancelSent: 'Cancelling…',
  cancelFailed: 'The build could not be cancelled:',
  retryOf: 'Retry of',
}

export const configuration = {
  command: 'Command',
  directory: 'Directory',
  repository: 'Repository',
  host: 'Machine',
  tools: 'Tools',
  environment: 'Environment',
  submodules: 'Submodules',
  pins: 'Pins',
  agent: 'Agent version',
  none: 'Not reported',
  cores: (cores: number) => `${cores} cores`,
}

export const events = {
  seq: 'Seq',
  time: 'Time',
  type: 'Type',
  data: 'Data',
  failedToLoad: 'The records could not be read.',
  none: 'No records.',
  more: 'Show more',
}

export const log = {
  label: 'Build log',
  search: 'Search the log',
  previous: 'Previous hit',
  next: 'Next hit',
  hits: (at: string, total: string) => `${at} of ${total}`,
  noHits: 'No hits',
  searching: 'Searching…',
  searchFailed: 'The search failed.',
  follow: 'Follow',
  followHint: 'Stay at the newest line',
  wrap: 'Wrap',
  times: 'Times',
  download: 'Download',
  empty: 'No output yet.',
  emptyEnded: 'This build printed nothing.',
  failedToLoad: 'Lines could not be read; trying again.',
  lines: (count: string) => `${count} lines`,
  cut: (more: string) => `… ${more} more characters: download the log to read them`,
  gap: (what: string, reason: string) => `${what} not kept: ${reason}`,
  gapLines: (count: string) => `${count} lines`,
  gapBytes: (size: string) => `${size} of output`,
  link: (line: string) => `Line ${line}: click to link, shift-click for a range`,
}

export const keys = {
  title: 'Keyboard',
  help: 'Show this help',
  search: 'Search',
  builds: 'Go to builds',
  nextRow: 'Next build',
  previousRow: 'Previous build',
  follow: 'Follow the log',
  wrap: 'Wrap lines',
  times: 'Show times',
  nextHit: 'Next hit',
  previousHit: 'Previous hit',
  top: 'First line',
  end: 'Newest line',
  theme: 'Switch light and dark',
  close: 'Close',
}

export const crash = {
  title: 'This page broke',
  text: 'Reload it to go on. Nothing stored is affected.',
  reload: 'Reload',
}
