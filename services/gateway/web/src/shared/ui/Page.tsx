/** Page: the frame of a page that is read from top to bottom: its name, what it can do, its sections. */
import type { ReactNode } from 'react'
import classes from './layout.module.css'
import { useTabName } from './useTabState'

interface Props {
  title: string
  /** One sentence under the title, where the page needs one. */
  lead?: ReactNode
  tools?: ReactNode
  children: ReactNode
}

export function Page({ title, lead, tools, children }: Props) {
  useTabName(title)
  return (
    <div className={classes.page}>
      <div className={classes.head}>
        <div>
          <h1 className={classes.title}>{title}</h1>
          {lead !== undefined && <p className={classes.lead}>{lead}</p>}
        </div>
        {tools !== undefined && <div className={classes.tools}>{tools}</div>}
      </div>
      {children}
    </div>
  )
}

export function Section({ title, children, aside }: { title: string; children: ReactNode; aside?: ReactNode }) {
  return (
    <section className={classes.section}>
      <h2>
        {title}
        {aside !== undefined && <span>{aside}</span>}
      </h2>
      {children}
    </section>
  )
}
