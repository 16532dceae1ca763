/** Answer: what is shown of a read: its place while it is awaited, why it failed, or what it brought. */
import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { answer as text } from '@/shared/i18n'
import classes from './layout.module.css'
import { Notice } from './Notice'
import { Remedy } from './Remedy'

interface Read<T> {
  data: T | undefined
  error: Error | null
  refetch: () => unknown
}

export function Answer<T>({ read, children }: { read: Read<T>; children: (data: T) => ReactNode }) {
  // What was read stays in sight when reading it again fails: the connection pill shows that it may be old.
  if (read.data !== undefined) return <>{children(read.data)}</>
  if (read.error === null) return <div className={classes.skeleton} aria-busy="true" />
  return (
    <Notice title={text.failed} isAlert>
      <p>{read.error.message}</p>
      <Remedy error={read.error} />
      <Button variant="default" size="xs" onClick={() => void read.refetch()}>
        {text.retry}
      </Button>
    </Notice>
  )
}
