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
import { rootsOf, type Root } from './roots'
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
            rootsOf(items).map((root, at) => <RootCard key={at} build={build} root={root} />)
          )
        }
      </Answer>
    </div>
  )
}

function RootCard({ build, root: { first, others } }: { build: BuildDetail; root: Root }) {
  return (
    <article className={classes.box} data-testid="failure-card" data-signature={first.signature ?? undefined}>
      <Card build={build} failure={first} />
      {others.length > 0 && <Others build={build} failures={others} />}
    </article>
  )
}

/** The rest of a group: one line each, and its excerpt only where it is asked for. */
function Others({ build, failures }: { build: BuildDetail; failures: FailureData[] }) {
  return (
    <details className={classes.others} data-testid="same-cause">
      <summary>{text.sameCause(failures.length)}</summary>
      <ul>
        {failures.map((failure) => (
          <li key={failure.firstLine}>
            <FailureHead build={build} failure={failure} />
          </li>
        ))}
      </ul>
    </details>
  )
}

function Card({ build, failure }: { build: BuildDetail; failure: FailureData }) {
  const why = failure.why ?? []
  return (
    <>
      <FailureHead build={build} failure={failure} />
      <LogExcerpt buildId={build.id} failure={failure} />
      {why.length > 0 && (
        <p className={classes.why} data-testid="why">
          {text.why} {why.join(', ')}
        </p>
      )}
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
    </>
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
