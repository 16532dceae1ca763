/** Failures tab: everything that was found broken in a build, the first real error first. */
import { Button, CopyButton } from '@mantine/core'
import { Link } from 'react-router'
import { toFailure } from '@/shared/address/links'
import { failed as text } from '@/shared/i18n'
import { reproOf } from '@/shared/source/command-line'
import { Answer } from '@/shared/ui/Answer'
import { LogExcerpt } from '@/shared/ui/LogExcerpt'
import { Notice } from '@/shared/ui/Notice'
import { isFinal, type BuildDetail, type FailureData } from '@/shared/wire'
import classes from './failure.module.css'
import { FailureHead } from './FailureHead'
import { useFailures } from './queries'
import { WrongLine } from './WrongLine'

export function FailuresTab({ build }: { build: BuildDetail }) {
  const read = useFailures(build)
  return (
    <div className={classes.list}>
      <Answer read={read}>
        {({ items = [], analysed = false }) =>
          items.length === 0 ? (
            <None build={build} isAnalysed={analysed} />
          ) : (
            items.map((failure, at) => <Card key={at} build={build} failure={failure} />)
          )
        }
      </Answer>
    </div>
  )
}

function Card({ build, failure }: { build: BuildDetail; failure: FailureData }) {
  return (
    <article className={classes.box} data-testid="failure-card" data-signature={failure.signature ?? undefined}>
      <FailureHead build={build} failure={failure} />
      <LogExcerpt buildId={build.id} failure={failure} />
      <div className={classes.acts}>
        {failure.signature != null && (
          <Link to={toFailure(failure.signature)} className={classes.link}>
            {text.group}
          </Link>
        )}
        <CopyButton value={reproOf(build, failure)}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" title={reproOf(build, failure)} onClick={copy}>
              {copied ? text.copied : text.repro}
            </Button>
          )}
        </CopyButton>
        <WrongLine build={build} failure={failure} />
      </div>
    </article>
  )
}

/** That nothing was found is good news only where somebody has looked. */
function None({ build, isAnalysed }: { build: BuildDetail; isAnalysed: boolean }) {
  if (!isFinal(build.status)) return <Notice title={text.noneYet} />
  if (build.status === 'succeeded') return <Notice title={text.none} />
  return (
    <Notice title={isAnalysed ? text.unclassified : text.unread}>
      <p>{text.unclassifiedHint}</p>
      <WrongLine build={build} failure={undefined} />
    </Notice>
  )
}
