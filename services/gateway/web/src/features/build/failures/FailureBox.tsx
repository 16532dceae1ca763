/** Failure box: the first real error, before anything else is read. */
import { Link } from 'react-router'
import { searchOf } from '@/features/build/tab/tabs'
import { build as text } from '@/shared/i18n'
import { AlsoRed } from '@/shared/address/AlsoRed'
import type { BuildDetail, FailureData } from '@/shared/wire'
import classes from './failure.module.css'
import { FailureHead, FailureMessage } from './FailureHead'

export function FailureBox({ build, failure }: { build: BuildDetail; failure: FailureData }) {
  const more = build.failureCount - 1
  return (
    <section className={classes.box} data-testid="failure">
      <FailureHead build={build} failure={failure} title={text.failure}>
        <Link className={classes.link} to={{ search: searchOf('failures') }}>
          {more > 0 ? text.moreFailures(more) : text.details}
        </Link>
      </FailureHead>
      <FailureMessage failure={failure} />
      <AlsoRed signature={failure.signature} project={build.project} branch={build.branch} />
    </section>
  )
}
