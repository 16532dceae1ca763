/** Agent strip: who builds, who could, who is gone; in one line. */
import { Link } from 'react-router'
import { useIsVisitor } from '@/shared/api/app-context'
import { ago, instant } from '@/shared/format'
import { agents as text } from '@/shared/i18n'
import { useNow } from '@/shared/live/clock'
import classes from './AgentStrip.module.css'
import { agentsOf, countByState } from './hosts'
import { useAgents } from '@/shared/api/queries/agents'

const SHOWN = 12

export function AgentStrip() {
  const isVisitor = useIsVisitor()
  const { data } = useAgents(!isVisitor)
  const now = useNow()
  if (isVisitor) return null
  if (data === undefined) return <div className={classes.strip} aria-busy="true" />
  const agents = agentsOf(data.items)
  if (agents.length === 0) return null
  const { busy, idle, gone } = countByState(agents)
  return (
    <section className={classes.strip} aria-label={text.strip} data-testid="agent-strip">
      <Link to="/agents" className={classes.heading} title={text.summary(busy, idle, gone)}>
        {text.strip}
      </Link>
      {agents.slice(0, SHOWN).map(({ newest, state, builds }) => (
        <Link
          key={newest.instance}
          to={builds.length === 1 ? `/builds/${builds[0]}` : '/agents'}
          className={classes.agent}
          data-state={state}
          title={instant(newest.lastSeenAt)}
        >
          <i />
          {newest.name}
          <span>{state === 'gone' ? ago(now - newest.lastSeenAt) : text[state]}</span>
        </Link>
      ))}
      {agents.length > SHOWN && <Link to="/agents">+{agents.length - SHOWN}</Link>}
    </section>
  )
}
