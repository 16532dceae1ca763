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
              {branchesOf(shown).map((lanes) => (
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
          {lanes.map(({ config, colour, latest }) => (
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
        </div>
      </td>
      <td className={layout.nowrap}>
        <Ago at={Math.max(...lanes.map(({ latest }) => latest.startedAt))} />
      </td>
    </tr>
  )
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
