/** More: the button below a list that asks for its next page, while there is one. */
import { Button } from '@mantine/core'
import classes from './layout.module.css'

interface PagedRead {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => unknown
}

export function More({ read, label }: { read: PagedRead; label: string }) {
  if (!read.hasNextPage) return null
  return (
    <Button
      className={classes.more}
      variant="default"
      size="xs"
      loading={read.isFetchingNextPage}
      onClick={() => void read.fetchNextPage()}
    >
      {label}
    </Button>
  )
}
