/** Notice: a box that explains why there is nothing to see here, and what to do about it. */
import type { ReactNode } from 'react'
import { answer as text } from '@/shared/i18n'
import classes from './layout.module.css'

export function Notice({ title, isAlert, children }: { title: string; isAlert?: boolean; children?: ReactNode }) {
  return (
    <div className={classes.notice} role={isAlert ? 'alert' : undefined}>
      <strong>{title}</strong>
      {children}
    </div>
  )
}

/** What an answer does not know, in its own sentences: unknown must not read as empty. */
export function Unknown({ sentences }: { sentences: readonly string[] | undefined }) {
  if (sentences === undefined || sentences.length === 0) return null
  return <p className={classes.unknown}>{text.unknown(sentences)}</p>
}
