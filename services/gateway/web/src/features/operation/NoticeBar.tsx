/** NoticeBar: above every page of an admin, while anything waits for one. */
import { Link } from 'react-router'
import { useNotices } from '@/shared/api/queries/notices'
import { operation as text } from '@/shared/i18n'
import classes from './NoticeBar.module.css'

export function NoticeBar() {
  const items = useNotices().data?.items ?? []
  if (items.length === 0) return null
  return (
    <Link to="/operation" className={classes.bar} role="status" data-testid="notice-bar">
      {text.bar(items.map((notice) => notice.text))}
    </Link>
  )
}
