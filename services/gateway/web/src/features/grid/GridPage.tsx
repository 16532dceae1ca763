/** Grid page: the commits of a branch by its configurations: look down a column for where the red begins. */
import { useMemo } from 'react'
import { Navigate, useLocation, useParams } from 'react-router'
import { useAddress } from '@/shared/address/address'
import { completed } from '@/shared/address/choice'
import { Missing, titleOf } from '@/shared/address/Chosen'
import { toGrid } from '@/shared/address/links'
import { useKnown } from '@/shared/address/useChoice'
import { Answer } from '@/shared/ui/Answer'
import { Page } from '@/shared/ui/Page'
import classes from './GridPage.module.css'
import { Commits } from './Commits'
import { KNOWN } from './address'
import { useGrid } from './queries'
import { SavedViews } from './SavedViews'

export function GridPage() {
  const { project = '', '*': branch = '' } = useParams()
  const { search } = useLocation()
  const named = useMemo(() => ({ project, branch: branch || undefined }), [project, branch])
  const { lanes, missing } = useKnown(named)
  const built = missing === undefined && lanes !== undefined ? completed(named, lanes).branch : undefined
  const address = useAddress(KNOWN)
  const read = useGrid(project, branch, branch !== '')

  if (branch === '' && built !== undefined)
    return <Navigate to={{ pathname: toGrid(project, built), search }} replace />
  return (
    <Page title={titleOf(named)} className={classes.page} tools={<SavedViews address={address} />}>
      {missing === undefined ? (
        <Answer read={read}>{({ pages }) => <Commits pages={pages} read={read} address={address} />}</Answer>
      ) : (
        <Missing part={missing} named={named} />
      )}
    </Page>
  )
}
