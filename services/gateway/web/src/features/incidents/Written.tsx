/** Written: notes and links that people added to an incident, and the forms that add more. */
import { useState } from 'react'
import { incident as text } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import { Field, Form } from '@/shared/ui/Form'
import layout from '@/shared/ui/layout.module.css'
import { Section } from '@/shared/ui/Page'
import type { Incident } from '@/shared/wire'
import classes from './incident.module.css'
import { useDeed } from './queries'
import { issueUrl } from './timeline'

export function Written({ incident }: { incident: Incident }) {
  return (
    <>
      <Notes incident={incident} />
      <Links incident={incident} />
    </>
  )
}

function Notes({ incident: { id, ownership } }: { incident: Incident }) {
  const [note, setNote] = useState('')
  const add = useDeed((api) => api.post(`/incidents/${encodeURIComponent(id)}/notes`, { text: note }))
  return (
    <Section title={text.notes}>
      {(ownership?.notes ?? []).map(({ text: words, by, at }) => (
        <p key={`${by} ${at}`} className={classes.note} data-testid="note">
          {words}{' '}
          <span className={layout.faint}>
            {by}, <Ago at={at} />
          </span>
        </p>
      ))}
      <Form
        action={text.addNote}
        isIncomplete={note.trim() === ''}
        sending={add}
        onSubmit={() => add.mutate(undefined, { onSuccess: () => setNote('') })}
      >
        <Field label={text.note} value={note} onChange={setNote} isWide />
      </Form>
    </Section>
  )
}

function Links({ incident }: { incident: Incident }) {
  const [url, setUrl] = useState('')
  const kind = /\/issues\/\d+/.test(url) ? 'issue' : 'other'
  const add = useDeed((api) => api.post(`/incidents/${encodeURIComponent(incident.id)}/links`, { kind, url }))
  const issue = issueUrl(incident, window.location.href)
  return (
    <Section title={text.links}>
      {(incident.ownership?.links ?? []).map((link) => (
        <p key={link.url} className={classes.note}>
          <a href={link.url} className={layout.link} rel="noreferrer" target="_blank">
            {link.url}
          </a>{' '}
          <span className={layout.faint}>{link.by}</span>
        </p>
      ))}
      {issue !== undefined && (
        <p className={classes.note}>
          <a href={issue} className={layout.link} rel="noreferrer" target="_blank">
            {text.fileIssue}
          </a>
        </p>
      )}
      <Form
        action={text.addLink}
        isIncomplete={url.trim() === ''}
        sending={add}
        onSubmit={() => add.mutate(undefined, { onSuccess: () => setUrl('') })}
      >
        <Field label={text.link} type="url" value={url} onChange={setUrl} isWide />
      </Form>
    </Section>
  )
}
