/** Projects page: every branch CI has built, and how its configurations stand; the way to the grids. */
import { Link } from 'react-router'
import { Nothing } from '@/shared/address/Chosen'
import { toGrid } from '@/shared/address/links'
import { useChoice } from '@/shared/address/useChoice'
import { projects as text } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Page } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { LaneSummary } from '@/shared/wire'
import classes from './ProjectsPage.module.css'

const PARTS = ['project'] as const

/** Green is counted; of what is not, so many are named. */
const NAMED = 8

export function ProjectsPage() {
  const choice = useChoice({ parts: PARTS })
  const { project } = choice
  return (
    <Page title={text.title} lead={text.lead} tools={choice.selects}>
      <Answer read={choice.summary}>
        {({ items }) => {
          const shown = items.filter((lane) => project === undefined || lane.project === project)
          if (shown.length === 0) return <Nothing choice={choice} title={text.emptyTitle} hint={text.empty} />
          return (
            <Table label={text.title} columns={[text.project, text.branch, text.configs, text.latest]}>
              {branchesOf(shown)
                .sort(worstFirst)
                .map((lanes) => (
                  <Branch key={`${lanes[0]?.project}\n${lanes[0]?.branch}`} lanes={lanes} />
                ))}
            </Table>
          )
        }}
      </Answer>
    </Page>
  )
}

function Branch({ lanes }: { lanes: readonly LaneSummary[] }) {
  const [first] = lanes
  if (first === undefined) return null
  const { red, other, green } = byColour(lanes)
  return (
    <tr>
      <td>
        <Link to={toGrid(first.project, first.branch)} className={layout.name}>
          {first.project}
        </Link>
      </td>
      <td className={layout.soft}>{first.branch}</td>
      <td>
        <div className={classes.configs}>
          {red.length > 0 && <strong className={layout.red}>{text.red(red.length)}</strong>}
          {[...red.slice(0, NAMED), ...other.slice(0, NAMED)].map(({ config, colour, latest }) => (
            <Link
              key={config}
              to={`/builds/${latest.id}`}
              className={classes.config}
              data-colour={colour}
              aria-label={`${config}: ${text.colour[colour]}`}
            >
              {config}
            </Link>
          ))}
          {red.length > NAMED && (
            <Link to={`${toGrid(first.project, first.branch)}?state=red`} className={layout.link}>
              {text.moreRed(red.length - NAMED)}
            </Link>
          )}
          {green.length > 0 && <span className={classes.green}>{text.green(green.length)}</span>}
        </div>
      </td>
      <td className={layout.nowrap}>
        <Ago at={Math.max(...lanes.map(({ latest }) => latest.startedAt))} />
      </td>
    </tr>
  )
}

interface ByColour {
  red: readonly LaneSummary[]
  green: readonly LaneSummary[]
  other: readonly LaneSummary[]
}

function byColour(lanes: readonly LaneSummary[]): ByColour {
  const of = (colour: LaneSummary['colour']) => lanes.filter((lane) => lane.colour === colour)
  return { red: of('red'), green: of('green'), other: of('none') }
}

/** What is red in most configurations first; else as they came. */
function worstFirst(a: readonly LaneSummary[], b: readonly LaneSummary[]): number {
  return byColour(b).red.length - byColour(a).red.length
}

/** Lanes of the same branch together, in the order they came (by project, then branch). */
function branchesOf(lanes: readonly LaneSummary[]): LaneSummary[][] {
  const branches = new Map<string, LaneSummary[]>()
  for (const lane of lanes) {
    const key = `${lane.project}\n${lane.branch}`
    branches.set(key, [...(branches.get(key) ?? []), lane])
  }
  return [...branches.values()]
}
