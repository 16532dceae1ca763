/** Build header: what this build is, how it stands, how long. */
import { Tooltip } from '@mantine/core'
import { IconChevronLeft, IconRosetteDiscountCheck } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { useIsVisitor } from '@/shared/api/app-context'
import { count, percent, shortSha } from '@/shared/format'
import { shortId } from '@/shared/format/build-id'
import { statusOf } from '@/shared/format/status'
import { beganAt } from '@/shared/format/timing'
import { build as text, phaseName } from '@/shared/i18n'
import { Ago, Elapsed, Remaining } from '@/shared/ui/Elapsed'
import { ProgressLine } from '@/shared/ui/ProgressLine'
import { StatusGlyph, StatusWord } from '@/shared/ui/StatusGlyph'
import { isFinal, type Build, type BuildDetail } from '@/shared/wire'
import classes from './BuildHeader.module.css'
import { CancelButton } from './CancelButton'
import { FailingNotice } from './FailingNotice'
import { metricsOf } from './metrics'
import { RebuildButton } from '@/shared/ui/RebuildButton'

export function BuildHeader({ build }: { build: BuildDetail }) {
  const isVisitor = useIsVisitor()
  return (
    <header className={classes.header} data-status={statusOf(build)}>
      <div className={classes.top}>
        <Link className={classes.back} to="/" aria-label={text.back} title={text.back}>
          <IconChevronLeft size={18} stroke={1.8} />
        </Link>
        <StatusGlyph status={statusOf(build)} size={26} />
        <div className={classes.title}>
          <h1>
            <StatusWord status={statusOf(build)} className={classes.status} testId="status" />
            <span>{build.project}</span>
            {build.branch && <span className={classes.soft}>{build.branch}</span>}
            {build.config !== 'default' && <span className={classes.chip}>{build.config}</span>}
            {build.origin !== 'ci' && <span className={classes.chip}>{text[build.origin]}</span>}
            {build.tags.map((tag) => (
              <span key={tag} className={classes.chip}>
                {tag}
              </span>
            ))}
            <Badges build={build} />
          </h1>
          <p className={classes.subject}>
            {build.commit && <code>{shortSha(build.commit)}</code>}
            <Missing build={build} />
            <span>{build.commitSubject ?? build.command.join(' ')}</span>
            {build.commitAuthor && <span className={classes.faint}>{build.commitAuthor}</span>}
            {build.dirty && <span className={classes.warned}>{text.dirty}</span>}
          </p>
        </div>
        {!isVisitor && (isFinal(build.status) ? <RebuildButton order={build} /> : <CancelButton buildId={build.id} />)}
      </div>
      {build.error && !build.firstFailure && <p className={classes.error}>{build.error}</p>}
      <dl className={classes.facts}>
        <Fact name={text.id}>
          <code title={build.id} data-testid="build-id">
            {shortId(build.id)}
          </code>
        </Fact>
        <Fact name={text.duration}>
          <Elapsed build={build} />
        </Fact>
        <Fact name={text.started}>
          <Ago at={beganAt(build)} />
        </Fact>
        {build.agent && <Fact name={text.agent}>{build.agent}</Fact>}
        {build.host && <Fact name={text.host}>{build.host.name}</Fact>}
        {build.exitCode != null && <Fact name={text.exitCode}>{build.exitCode}</Fact>}
        {build.reason && <Fact name={text.reason}>{build.reason.replaceAll('_', ' ')}</Fact>}
        {metricsOf(build).map(({ name, value, tone }) => (
          <Fact key={name} name={name} tone={tone}>
            {value}
          </Fact>
        ))}
        {build.sourceUrl && (
          <Fact name={text.source}>
            <a className={classes.link} href={build.sourceUrl} rel="noreferrer" data-testid="source">
              {new URL(build.sourceUrl).host}
            </a>
          </Fact>
        )}
        {build.retryOf && (
          <Fact name={text.retryOf}>
            <Link className={classes.link} to={`/builds/${build.retryOf}`}>
              {shortId(build.retryOf)}
            </Link>
          </Fact>
        )}
      </dl>
      {!isFinal(build.status) && <Advance build={build} />}
      {statusOf(build) === 'failing' && <FailingNotice build={build} />}
    </header>
  )
}

/** What a reader would look for here and not find: the facts' tab says what to do about it. */
function Missing({ build }: { build: BuildDetail }) {
  const sought = build.missingFacts.filter(({ name }) => name === 'commit' || name === 'branch')
  const [first] = sought
  if (first === undefined) return null
  return (
    <Link className={classes.warned} to={{ search: '?tab=configuration' }} title={first.reason} data-testid="missing">
      {text.missingFact(sought.map(({ name }) => name).join(', '))}
    </Link>
  )
}

function Advance({ build }: { build: Build }) {
  const { stepsDone, stepsTotal } = build.metrics ?? {}
  return (
    <div className={classes.advance}>
      <div className={classes.numbers}>
        <strong>{build.progress == null ? text.noProgress : percent(build.progress)}</strong>
        {stepsDone != null && stepsTotal != null && (
          <span data-testid="steps">{text.steps(count(stepsDone), count(stepsTotal))}</span>
        )}
        {build.phase && <span>{phaseName[build.phase]}</span>}
        <code className={classes.step}>{build.step}</code>
        <Remaining build={build} />
      </div>
      <ProgressLine build={build} size={6} />
    </div>
  )
}

function Badges({ build }: { build: Build }) {
  return (
    <>
      {!isFinal(build.status) && !build.connected && <Badge text={text.silent} hint={text.silentHint} />}
      {build.backfill && <Badge text={text.backfill} hint={text.backfillHint} className={classes.chip} />}
      {build.untrusted && <Badge text={text.untrusted} hint={text.untrustedHint} testId="untrusted" />}
      {build.provisional && <Badge text={text.provisional} hint={text.provisionalHint} />}
      {build.verified && (
        <Tooltip label={`${text.verified}: ${text.verifiedHint}`} multiline maw={280}>
          <span className={classes.verified} tabIndex={0} role="img" aria-label={text.verified}>
            <IconRosetteDiscountCheck size={17} stroke={1.7} />
          </span>
        </Tooltip>
      )}
    </>
  )
}

interface BadgeProps {
  text: string
  hint: string
  className?: string
  testId?: string
}

function Badge({ text, hint, className = classes.badge, testId }: BadgeProps) {
  return (
    <Tooltip label={hint} multiline maw={280}>
      <span className={className} tabIndex={0} role="note" data-testid={testId}>
        {text}
      </span>
    </Tooltip>
  )
}

function Fact({ name, tone, children }: { name: string; tone?: string; children: ReactNode }) {
  return (
    <div className={classes.fact} data-tone={tone}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
