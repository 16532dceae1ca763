/** Found: the builds whose logs have hits, with their lines, and how far the search came. */
import { Button } from '@mantine/core'
import { BuildLink, CommitLink } from '@/shared/address/ShortLinks'
import type { Params } from '@/shared/api/client'
import { bytes, count } from '@/shared/format'
import { statusOf } from '@/shared/format/status'
import { search as text } from '@/shared/i18n'
import { Failed } from '@/shared/ui/Failed'
import layout from '@/shared/ui/layout.module.css'
import { LogLine, LogLines } from '@/shared/ui/LogLines'
import { StatusGlyph } from '@/shared/ui/StatusGlyph'
import type { BuildHits } from '@/shared/wire'
import classes from './search.module.css'
import { useLogsSearch } from './useLogsSearch'

export function Found({ params }: { params: Params }) {
  const { builds, end, error, goOn } = useLogsSearch(params)
  const having = builds.filter(({ totalHits }) => totalHits > 0)
  const hits = having.reduce((sum, { totalHits }) => sum + totalHits, 0)
  const searchedBytes = builds.reduce((sum, { build }) => sum + build.logBytes, 0)
  return (
    <>
      <p className={layout.soft} role="status" data-testid="search-state" data-end={end?.end}>
        {text.found(count(hits), count(having.length), count(builds.length), bytes(searchedBytes))}{' '}
        {end === undefined && error === undefined && text.running}
        {end !== undefined && end.end !== 'done' && <span className={layout.warned}>{text.ends[end.end]}</span>}
      </p>
      {error !== undefined && <Failed error={error} />}
      {having.map((part) => (
        <BuildFound key={part.build.id} part={part} />
      ))}
      {end?.nextCursor != null && (
        <Button className={layout.more} variant="default" size="xs" onClick={goOn}>
          {text.more}
        </Button>
      )}
    </>
  )
}

function BuildFound({ part }: { part: BuildHits }) {
  const { build, hits, totalHits, totalIsExact } = part
  const more = totalHits - hits.length
  return (
    <section className={layout.section} data-testid="build-hits">
      <div className={classes.head}>
        <StatusGlyph status={statusOf(build)} size={16} />
        <strong>
          {build.project} {build.config}
        </strong>
        <BuildLink id={build.id} />
        {build.commit != null && <CommitLink sha={build.commit} />}
        <span className={layout.faint}>{build.branch}</span>
        {more > 0 && <span className={layout.faint}>{text.others(count(more), totalIsExact !== false)}</span>}
      </div>
      <LogLines label={text.hitsOf(`${build.project} ${build.config}`)} testId="hits">
        {hits.map(({ line, text: words }) => (
          <LogLine key={line} buildId={build.id} number={line} line={words} />
        ))}
      </LogLines>
    </section>
  )
}
