/** Words around every page: name, navigation, connection, account, keyboard. */

export const product = 'Build Dashboard'

export const nav = {
  now: 'Now',
  projects: 'Projects',
  failures: 'Failures',
  tests: 'Tests',
  history: 'History',
  pins: 'Pins',
  gates: 'Releases',
  agents: 'Agents',
  sources: 'Sources',
  commits: 'Commits',
  search: 'Search logs',
  notifications: 'Notifications',
  operation: 'Operation',
  settings: 'Settings',
  account: 'Account',
  audit: 'Audit',
  main: 'Main',
  skip: 'Skip to the content',
}

export const tab = {
  red: (count: number) => `${count} red`,
  running: (count: number) => `${count} running`,
  failing: (count: number) => `${count} failing`,
}

export const link = {
  connecting: 'Connecting',
  'catching-up': 'Catching up',
  live: 'Live',
  polling: 'Every 3 s',
  offline: 'Offline',
  offlineFor: (age: string) => `Offline for ${age}`,
  hint: {
    connecting: 'Opening the live connection.',
    'catching-up': 'Connected again; reading what changed meanwhile.',
    live: 'Changes appear here as they are stored.',
    polling: 'No WebSocket passes between here and the dashboard: the page asks every few seconds instead.',
    offline: 'The page shows what it last received, and keeps trying to connect.',
  },
}

export const login = {
  username: 'User name',
  password: 'Password',
  submit: 'Sign in',
  by: (label: string) => `Sign in with ${label}`,
  code: 'Code of your authenticator, or a recovery code',
  wrong: 'User name or password is wrong.',
  wrongCode: 'This code is wrong, or was used before. Wait for the next one.',
  throttled: 'Too many tries. Wait a moment, then try again.',
  unreachable: 'The dashboard does not answer. Check that it is running and reachable.',
  hint: 'On a new dashboard the user is admin; the password was printed when it started.',
}

export const account = {
  menu: 'Account',
  signIn: 'Sign in',
  signOut: 'Sign out',
  signedInAs: (user: string) => `Signed in as ${user}`,
  visiting: 'Not signed in: you see what is public',
}

export const keys = {
  title: 'Keyboard',
  help: 'Show this help',
  search: 'Search',
  goTo: (page: string) => `Go to ${page}`,
  palette: 'Go to anything',
  nextRow: 'Next build',
  previousRow: 'Previous build',
  follow: 'Follow the log',
  wrap: 'Wrap lines',
  times: 'Show times',
  nextHit: 'Next hit',
  previousHit: 'Previous hit',
  nextError: 'Next error',
  previousError: 'Previous error',
  fold: 'Fold or unfold phases',
  top: 'First line',
  end: 'Newest line',
  theme: 'Switch light and dark',
  close: 'Close',
  or: 'or',
  /** Works wherever something is open, without a page's doing. */
  everywhere: [{ keys: 'Esc', title: 'Close what is open' }],
}

export const crash = {
  title: 'This page broke',
  text: 'Reload it to go on. Nothing stored is affected.',
  reload: 'Reload',
}
