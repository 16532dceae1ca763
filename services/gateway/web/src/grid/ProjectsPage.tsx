/** Projects page: every branch CI has built, and how its configurations stand; the way to the grids. */
import { Link } from 'react-router'
import { Ago } from '../builds/Elapsed'
import { toGrid } from '../history/places'
import { useSummary } from '../history/queries'
import { Answer } from '../layout/Answer'
import layout from '../layout/layout.module.css'
import { Notice } from '../layout/Notice'
import { Page } from '../layout/Page'
import { Table } from '../layout/Table'
import { projects as text } from '../strings'
import type { LaneSummary } from '../wire'
import classes from './ProjectsPage.module.css'

export function ProjectsPage() {
  const read = useSummary()
  return (
    <Page title={text.title} lead={text.lead}>
      <Answer read={read}>
        {({ items }) =>
          items.length === 0 ? (
            <Notice title={text.emptyTitle}>
              <p>{text.empty}</p>
            </Notice>
          ) : (
            <Table label={text.title} columns={[text.project, text.branch, text.configs, text.latest]}>
              {branchesOf(items).map((lanes) => (
                <Branch key={`${lanes[0]?.project}\n${lanes[0]?.branch}`} lanes={lanes} />
              ))}
            </Table>
          )
        }
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
        <Ago at={Math.max(...lanes.map(({ latest }) => latest.startedMs))} />
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
