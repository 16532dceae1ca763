/** Table: rows of facts under their names; on a narrow screen it scrolls by itself, by keyboard too. */
import type { ReactNode } from 'react'
import classes from './layout.module.css'

interface Props {
  label: string
  columns: readonly string[]
  /** Those of them that hold figures. */
  figures?: readonly string[]
  /** Of a table that is laid out otherwise on a narrow screen. */
  className?: string
  children: ReactNode
}

export function Table({ label, columns, figures = [], className = '', children }: Props) {
  return (
    <div className={classes.scroll} role="region" aria-label={label} tabIndex={0}>
      <table className={`${classes.table} ${className}`}>
        <thead>
          <tr>
            {columns.map((column) =>
              // A column of buttons, or of names, needs none; a heading without words is none.
              column === '' ? (
                <td key={column} />
              ) : (
                <th key={column} scope="col" data-figures={figures.includes(column) || undefined}>
                  {column}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}
