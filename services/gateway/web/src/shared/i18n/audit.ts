/** Strings: the audit page. */

export const audit = {
  title: 'Audit',
  lead: 'Who did what to whom, from where, with what result. Entries are only ever added.',
  who: 'Who',
  action: 'Action',
  subject: 'Subject',
  result: 'Result',
  when: 'When',
  from: 'From',
  list: 'Audit trail',
  none: 'Nothing in the trail is like this.',
  more: 'Older entries',
  lines: 'Export as JSON lines',
  table: 'Export as CSV',
  check: 'Check the chain',
  whole: (count: string) =>
    `All ${count} entries follow from each other: none was changed, taken out or put in between.`,
  broken: (subject: string, at: string) => `The chain breaks at ${at}: the entry about ${subject} does not follow.`,
}
