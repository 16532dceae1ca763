/** Chosen: what a page shows of what its address names, or that there is nothing of it. */
import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { choice as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import type { Named, Part } from './choice'
import type { Choice } from './useChoice'

interface Props {
  choice: Choice
  /** What is shown while no branch is known at all. */
  empty: ReactNode
  children: ReactNode
}

/** For a page of one branch. */
export function Chosen({ choice, empty, children }: Props) {
  if (choice.missing !== undefined) return <Missing part={choice.missing} named={choice} />
  if (choice.project !== undefined && choice.branch !== undefined) return <>{children}</>
  return <Answer read={choice.summary}>{() => empty}</Answer>
}

/** For a page of all projects that found nothing. */
export function Nothing({ choice, title, hint }: { choice: Choice; title: string; hint?: string }) {
  if (choice.missing !== undefined) return <Missing part={choice.missing} named={choice} />
  return (
    <Notice title={title}>
      {hint !== undefined && <p>{hint}</p>}
      {choice.project !== undefined && !choice.isOfBranch && (
        <>
          <p>{text.only(titleOf(choice))}</p>
          <Button
            variant="default"
            size="xs"
            onClick={() => choice.address.change({ project: undefined, branch: undefined, config: undefined })}
          >
            {text.showAll}
          </Button>
        </>
      )}
    </Notice>
  )
}

export function Missing({ part, named }: { part: Part; named: Named }) {
  return (
    <Notice title={text.missing[part](titleOf(named, part))} isAlert>
      <p>{text.missingHint}</p>
      {named.project !== undefined && (
        <Link to={`/?${new URLSearchParams({ project: named.project })}`} className={layout.link}>
          {text.builds(named.project)}
        </Link>
      )}
    </Notice>
  )
}

/** What is named, up to a part of it. */
export function titleOf({ project, branch, config }: Named, until: Part = 'config'): string {
  const parts = { project: [project], branch: [project, branch], config: [project, branch, config] }
  return parts[until].filter(Boolean).join(' ')
}
