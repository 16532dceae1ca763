/** Page: the frame of a page that is read from top to bottom: its name, what it can do, its sections. */
import type { ReactNode } from 'react'
import classes from './layout.module.css'
import { useTabName } from './useTabState'

interface Props {
  title: string
  /** One sentence under the title, where the page needs one. */
  lead?: ReactNode
  tools?: ReactNode
  /** Of a page that is laid out otherwise. */
  className?: string
  children: ReactNode
}

export function Page({ title, lead, tools, className = '', children }: Props) {
  useTabName(title)
  return (
    <div className={`${classes.page} ${className}`}>
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

interface SectionProps {
  title: string
  aside?: ReactNode
  className?: string
  children: ReactNode
}

export function Section({ title, aside, className = classes.section, children }: SectionProps) {
  return (
    <section className={className}>
      <h2>
        {title}
        {aside !== undefined && <span>{aside}</span>}
      </h2>
      {children}
    </section>
  )
}
