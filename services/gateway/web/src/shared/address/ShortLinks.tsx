/** Short links: a build by the end of its id, a commit by the beginning of its sha. */
import { Link } from 'react-router'
import { shortSha } from '@/shared/format'
import { shortId } from '@/shared/format/build-id'
import layout from '@/shared/ui/layout.module.css'
import { toCommit } from './links'

export function BuildLink({ id, search }: { id: string; search?: string }) {
  return (
    <Link to={{ pathname: `/builds/${id}`, search }} className={layout.link}>
      <code>{shortId(id)}</code>
    </Link>
  )
}

export function CommitLink({ sha }: { sha: string }) {
  return (
    <Link to={toCommit(sha)} className={layout.link}>
      <code>{shortSha(sha)}</code>
    </Link>
  )
}
