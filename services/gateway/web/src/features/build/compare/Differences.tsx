/** Differences: what only one of two builds shows: facts, failures, tests. */
import type { ReactNode } from 'react'
import { Block } from '@/features/build/tab/Block'
import tab from '@/features/build/tab/tabs.module.css'
import { count } from '@/shared/format'
import { plainText } from '@/shared/format/ansi'
import { compare as text } from '@/shared/i18n'
import layout from '@/shared/ui/layout.module.css'
import { Table } from '@/shared/ui/Table'
import type { FailureData } from '@/shared/wire'
import classes from './CompareTab.module.css'
import type { Difference, Sides } from './comparison'

interface SidesProps<T> {
  title: string
  sides: Sides<T>
  empty: string
  children: (item: T) => ReactNode
}

export function SidesBlock<T>({ title, sides: { onlyHere, onlyThere, both }, empty, children }: SidesProps<T>) {
  const groups: [string, string, T[]][] = [
    ['bad', text.onlyHere, onlyHere],
    ['good', text.onlyThere, onlyThere],
    ['same', text.both, both],
  ]
  const isNone = groups.every(([, , items]) => items.length === 0)
  return (
    <Block title={title}>
      {isNone && <p className={layout.faint}>{empty}</p>}
      {groups.map(
        ([tone, name, items]) =>
          items.length > 0 && (
            <div key={tone} className={classes.side} data-tone={tone}>
              <h3>
                {name} <span>{count(items.length)}</span>
              </h3>
              <ul>
                {items.map((item, at) => (
                  <li key={at}>{children(item)}</li>
                ))}
              </ul>
            </div>
          ),
      )}
    </Block>
  )
}

export function FailureLine({ failure }: { failure: FailureData }) {
  return (
    <>
      <span className={layout.chip}>{failure.category}</span> <code>{plainText(failure.message).split('\n')[0]}</code>
    </>
  )
}

export function Facts({ title, found }: { title: string; found: readonly Difference[] }) {
  return (
    <Block title={title}>
      {found.length === 0 ? (
        <p className={layout.faint}>{text.same}</p>
      ) : (
        <Table label={title} columns={['', text.here, text.there]}>
          {found.map(({ name, here, there }) => (
            <tr key={name} data-testid="difference">
              <td className={tab.name}>{name}</td>
              <td className={classes.fact}>
                <code>{here ?? text.unknown}</code>
              </td>
              <td className={classes.fact}>
                <code>{there ?? text.unknown}</code>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Block>
  )
}
