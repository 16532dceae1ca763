/** What broke: each way in which a commit fails, once, as the tool printed it, and in which configurations. */
import { Link } from 'react-router'
import { toFailure } from '@/shared/address/links'
import { useFailureOf } from '@/shared/api/queries/logs'
import { evidenceOf, verdictOf } from '@/shared/format/verdict'
import { commit as text, now as nowText } from '@/shared/i18n'
import layout from '@/shared/ui/layout.module.css'
import { LogExcerpt } from '@/shared/ui/LogExcerpt'
import type { ConfigAnswer } from '@/shared/wire'
import { breaksOf, type Break } from './breaks'
import classes from './WhatBroke.module.css'

/** The table below has all of them; what is read here is what most configurations show. */
const SHOWN = 3

export function WhatBroke({ configs }: { configs: readonly ConfigAnswer[] }) {
  return (
    <div className={classes.breaks}>
      {breaksOf(configs)
        .slice(0, SHOWN)
        .map((each) => (
          <OneBreak key={each.signature} found={each} />
        ))}
    </div>
  )
}

function OneBreak({ found: { signature, buildId, configs, judged } }: { found: Break }) {
  const failure = useFailureOf(buildId, signature)
  if (failure === undefined) return null
  return (
    <section className={classes.one} data-testid="what-broke">
      <p>
        <strong title={configs.join(', ')}>
          {configs.length <= 2 ? configs.join(', ') : nowText.configs(configs.length)}
        </strong>
        {judged != null && <span title={evidenceOf(judged)}>{text.verdict[verdictOf(judged)]}</span>}
        <Link to={toFailure(signature)} className={layout.link}>
          {text.likeThis}
        </Link>
      </p>
      <LogExcerpt buildId={buildId} failure={failure} />
    </section>
  )
}
