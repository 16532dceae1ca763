/** Block: a part of a tab under its heading. */
import type { ReactNode } from 'react'
import classes from './Block.module.css'

export function Block({ title, aside, children }: { title: string; aside?: string; children: ReactNode }) {
  return (
    <section className={classes.block}>
      <h2>
        {title}
        {aside !== undefined && <span>{aside}</span>}
      </h2>
      {children}
    </section>
  )
}
