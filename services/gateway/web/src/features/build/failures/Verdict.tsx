/** Verdict: whose a failure is: new, red before, flaky, the machine's; with its evidence, and a person's word above it. */
import { Popover } from '@mantine/core'
import { useState } from 'react'
import { Link } from 'react-router'
import { shortId } from '@/shared/format/build-id'
import { verdict as text } from '@/shared/i18n'
import { Ago } from '@/shared/ui/Elapsed'
import type { Build, FailureData } from '@/shared/wire'
import classes from './failure.module.css'
import { OverrideForm } from './OverrideForm'
import { useVerdict } from './queries'

/** Caught, so that splitting keeps it. */
const BUILD_ID = /([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/

export function Verdict({ build, failure }: { build: Build; failure: FailureData }) {
  const { data } = useVerdict(build, failure)
  const [isOpen, setOpen] = useState(false)
  if (data === undefined) return null
  const shown = data.override?.verdict ?? data.verdict
  return (
    <Popover opened={isOpen} onChange={setOpen} position="bottom-start" width={340} trapFocus withArrow>
      <Popover.Target>
        <button
          type="button"
          className={classes.verdict}
          data-verdict={shown}
          data-testid="verdict"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {text.names[shown]}
          {data.override != null && <span> {text.overridden}</span>}
        </button>
      </Popover.Target>
      <Popover.Dropdown className={classes.evidence} aria-label={text.title}>
        <h3>{text.names[data.verdict]}</h3>
        <ul>
          {data.evidence.map((sentence) => (
            <li key={sentence}>
              <Sentence text={sentence} />
            </li>
          ))}
        </ul>
        {data.override != null && (
          <p className={classes.word}>
            {text.by(data.override.by)} <Ago at={data.override.at} />: <b>{text.names[data.override.verdict]}</b>
            <br />
            {data.override.reason}
          </p>
        )}
        {failure.signature != null && (
          <OverrideForm
            buildId={build.id}
            signature={failure.signature}
            current={data.override ?? undefined}
            onDone={() => setOpen(false)}
          />
        )}
      </Popover.Dropdown>
    </Popover>
  )
}

/** A sentence of evidence; a build it names is a link to it. */
function Sentence({ text: sentence }: { text: string }) {
  return sentence.split(BUILD_ID).map((part, at) =>
    at % 2 === 0 ? (
      part
    ) : (
      <Link key={at} to={`/builds/${part}`} className={classes.link}>
        <code>{shortId(part)}</code>
      </Link>
    ),
  )
}
