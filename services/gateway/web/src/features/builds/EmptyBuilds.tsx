/** Empty builds: the one line that streams a first build. */
import { Button, CopyButton } from '@mantine/core'
import { list } from '@/shared/i18n'
import classes from './BuildsList.module.css'

export function EmptyBuilds() {
  const command = `BUILD_DASHBOARD_URL=${location.origin} BUILD_DASHBOARD_API_KEY=<key> \\\n  build-dashboard run --project my-project -- ninja -C build`
  return (
    <div className={classes.empty}>
      <h2>{list.emptyTitle}</h2>
      <p>{list.emptyText}</p>
      <div className={classes.command}>
        <code>{command}</code>
        <CopyButton value={command}>
          {({ copied, copy }) => (
            <Button variant="default" size="xs" onClick={copy}>
              {copied ? list.copied : list.copy}
            </Button>
          )}
        </CopyButton>
      </div>
      <p>{list.emptyMore}</p>
    </div>
  )
}
