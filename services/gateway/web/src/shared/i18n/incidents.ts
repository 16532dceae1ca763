/** Words of one incident: who is on it, what was done about it, how its cause could be undone. */

const TRANSITIONS: Record<string, string> = {
  opened: 'broke',
  joined: 'broke, too',
  changed: 'fails in another way',
  reopened: 'broke again',
  fixed: 'all configurations are green',
  overridden: 'no longer counted as broken',
  merged: 'merged with another incident',
  withdrawn: 'its builds no longer count',
}

const DONE: Record<string, string> = {
  acknowledged: 'is on it',
  released: 'is not on it any more',
  assigned: 'assigned it to',
  noted: 'noted',
  linked: 'linked',
  unlinked: 'removed the link',
}

export const alsoRed = {
  title: 'Also red at',
  configs: (names: readonly string[]) =>
    names.length > 1 ? `${names[0] ?? ''} and ${names.length - 1} more` : (names[0] ?? ''),
  more: (count: number) => `and ${count} more`,
}

export const incident = {
  title: 'Incident',
  missing: 'No such incident',
  missingHint: 'It may be of a project that you may not see, or is forgotten.',
  noFailure: 'No known failure was found in the log.',
  open: 'open',
  closed: (as: string) => `closed: ${as}`,
  isOn: (name: string) => `${name} is on it`,
  nobody: 'nobody is on it',
  take: 'I’m on it',
  release: 'Not on it any more',
  mute: 'Mute until fixed',
  muted: 'Nobody is notified of it until it is fixed.',
  configs: 'Configurations',
  recovered: 'green again',
  red: 'red',
  suspects: 'Suspect commits',
  suspectsUnknown: 'Unknown: no agent sent the commits since the last green build.',
  noSuspects: 'No new commit since the last green build.',
  since: 'Since',
  firstBuild: 'First red build',
  failure: 'Failure',
  assignee: 'To be repaired by',
  assign: 'Assign',
  notes: 'Notes',
  note: 'Note',
  addNote: 'Add note',
  links: 'Links',
  link: 'Address',
  addLink: 'Link',
  fileIssue: 'File an issue at GitHub',
  revert: 'Revert it',
  revertLead: 'One commit alone is suspect. These commands propose to undo it:',
  copy: 'Copy',
  copied: 'Copied',
  toCommit: 'The commit',
  propose: 'Propose the pushed branch',
  timeline: 'Timeline',
  happened: (kind: string, config: string) => `${config}: ${TRANSITIONS[kind] ?? kind}`,
  did: (by: string, kind: string, what: string) => [by, DONE[kind] ?? kind, what].filter(Boolean).join(' '),
  issueTitle: (project: string, branch: string, message: string) => `${project} ${branch} is broken: ${message}`,
}
