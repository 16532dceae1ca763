/** Timeline: what happened to an incident and what people did about it, in one order; and the issue it would make. Pure. */
import { incident as text } from '@/shared/i18n'
import { plainText } from '@/shared/format/ansi'
import type { Incident } from '@/shared/wire'

export interface Happening {
  at: number
  words: string
  buildId?: string
}

/** Oldest first; what happened at the same time stands before what was done about it. */
export function timelineOf({ transitions, ownership }: Incident): Happening[] {
  const happened = transitions.map(({ at, kind, config, buildId }) => ({
    at,
    words: text.happened(kind, config),
    buildId,
  }))
  const done = (ownership?.events ?? []).map(({ at, by, kind, text: what }) => ({
    at,
    words: text.did(by, kind, what ?? ''),
  }))
  return [...happened, ...done].sort((one, other) => one.at - other.at)
}

const ISSUE_CHARACTERS = 6000

/** GitHub's form for a new issue, filled in; undefined where the project's repository is elsewhere. */
export function issueUrl(incident: Incident, page: string): string | undefined {
  if (incident.repository == null) return undefined
  const { failure, suspects } = incident
  const message = failure ? (plainText(failure.message).split('\n')[0] ?? '') : text.noFailure
  const place = failure?.file ? `${failure.file}${failure.line == null ? '' : `:${failure.line}`}` : ''
  const lines = [
    failure ? `${fence(failure.message)}\n${plainText(failure.message)}\n${fence(failure.message)}` : message,
    place && `At \`${place}\``,
    `Configurations: ${incident.configs.join(', ')}`,
    suspects != null &&
      suspects.length > 0 &&
      `Suspects:\n${suspects.map(({ sha, subject }) => `- ${sha} ${subject ?? ''}`).join('\n')}`,
    page,
  ]
  const title = text.issueTitle(incident.project, incident.branch ?? '', message).slice(0, 200)
  const body = lines.filter(Boolean).join('\n\n').slice(0, ISSUE_CHARACTERS)
  return `${incident.repository}/issues/new?${new URLSearchParams({ title, body })}`
}

/** A fence that the build's own output cannot close. */
function fence(printed: string): string {
  const longest = Math.max(2, ...(printed.match(/`+/g) ?? []).map((ticks) => ticks.length))
  return '`'.repeat(longest + 1)
}
