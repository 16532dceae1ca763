/** Configuration tab: the facts that explain a build: command, machine, tools, environment, pins. */
import type { ReactNode } from 'react'
import { bytes, instant } from '@/shared/format'
import { configuration as text } from '@/shared/i18n'
import { commandLine } from '@/shared/source/command-line'
import { FactList, type NamedFact } from '@/shared/ui/FactList'
import type { BuildDetail } from '@/shared/wire'
import classes from './ConfigurationTab.module.css'

const WRONG_CLOCK_MS = 5_000

export function ConfigurationTab({ build }: { build: BuildDetail }) {
  return (
    <div className={classes.page}>
      {build.missingFacts.length > 0 && (
        <Block title={text.missing}>
          <dl className={classes.table} data-testid="missing-facts">
            {build.missingFacts.map(({ name, reason, remedy }) => (
              <div key={`${name} ${reason}`}>
                <dt>{name}</dt>
                <dd>
                  {reason}
                  <p className={classes.none}>{text.remedy(remedy)}</p>
                </dd>
              </div>
            ))}
          </dl>
        </Block>
      )}
      <Block title={text.command}>
        <pre className={classes.command}>{commandLine(build.command) || text.none}</pre>
        <Facts
          facts={[
            [text.directory, build.cwd],
            [text.repository, build.repository],
            [text.host, machineOf(build)],
            [text.agent, build.agentVersion],
            [text.clock, clockOf(build)],
          ]}
        />
      </Block>
      {build.configurationChanges.length > 0 && (
        <Block title={text.changes}>
          <p className={classes.none}>{text.changesHint}</p>
          <dl className={classes.table} data-testid="configuration-changes">
            {build.configurationChanges.map(({ name, before, after }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  {before != null && <del>{before || text.blank}</del>}
                  {after != null && <ins>{after || text.blank}</ins>}
                </dd>
              </div>
            ))}
          </dl>
        </Block>
      )}
      <Block title={text.tools}>
        <Facts facts={Object.entries(build.tools)} />
      </Block>
      <Block title={text.pins}>
        <Facts
          facts={build.pins.map(({ name, commit, source, committedAt }) => [
            name,
            [commit, source, committedAt == null ? null : instant(committedAt)].filter(Boolean).join('  ·  '),
          ])}
        />
      </Block>
      <Block title={text.submodules}>
        <Facts facts={build.submodules.map(({ path, commit }) => [path, commit])} />
      </Block>
      <Block title={text.environment}>
        <Facts facts={Object.entries(build.environment)} />
      </Block>
    </div>
  )
}

function Block({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={classes.block}>
      <h2>{title}</h2>
      {children}
    </section>
  )
}

function Facts({ facts }: { facts: readonly NamedFact[] }) {
  const isNone = facts.every(([, value]) => value == null || value === '')
  return isNone ? <p className={classes.none}>{text.none}</p> : <FactList facts={facts} className={classes.table} />
}

/** What a reader of the build's times has to know: that its machine's clock was wrong, or how its start is known. */
function clockOf(build: BuildDetail): string | undefined {
  const { clockSkewMs: skewMs, startSource: source, serverStartedEarliestAt, serverStartedAt, receivedAt } = build
  const isWrong = skewMs != null && Math.abs(skewMs) > WRONG_CLOCK_MS && source !== 'source'
  const isVague = receivedAt != null && serverStartedEarliestAt !== serverStartedAt
  const facts = [
    isWrong && text.skew(skewMs),
    source != null && (isWrong || isVague || source !== 'monotonic') && text.startSource[source],
    isVague && text.vague,
  ]
  return facts.filter(Boolean).join('  ·  ') || undefined
}

function machineOf({ host }: BuildDetail): string | undefined {
  if (host == null) return undefined
  const facts = [
    host.name,
    host.os,
    host.arch,
    host.cores == null ? null : text.cores(host.cores),
    host.memoryBytes == null ? null : bytes(host.memoryBytes),
  ]
  return facts.filter(Boolean).join('  ·  ')
}
