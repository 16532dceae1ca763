/** Named build: an address that names a build by a part of its id leads to that build, or lists those it may mean. */
import { Link, Navigate, useLocation } from 'react-router'
import { useBuildsNamed } from '@/shared/api/queries/builds'
import { labelsOf, type BuildName } from '@/shared/format/build-id'
import { beganAt } from '@/shared/format/timing'
import { build as text, list, statusName } from '@/shared/i18n'
import { Answer } from '@/shared/ui/Answer'
import { Ago } from '@/shared/ui/Elapsed'
import layout from '@/shared/ui/layout.module.css'
import { Notice } from '@/shared/ui/Notice'
import { Page } from '@/shared/ui/Page'
import { Table } from '@/shared/ui/Table'
import type { BuildList } from '@/shared/wire'

const COLUMNS = [text.id, list.project, list.branch, text.config, list.status, text.started]

export function NamedBuild({ name }: { name: BuildName }) {
  return name.id === undefined ? <LookUp digits={name.digits} /> : <Go id={name.id} />
}

function LookUp({ digits }: { digits: string }) {
  const read = useBuildsNamed(digits)
  const [first, ...others] = read.data?.items ?? []
  if (first !== undefined && others.length === 0) return <Go id={first.id} />
  return (
    <Page title={text.named(digits)} lead={first && text.several}>
      <Answer read={read}>{(found) => <Choice found={found} />}</Answer>
    </Page>
  )
}

function Choice({ found: { items, nextCursor } }: { found: BuildList }) {
  if (items.length === 0) return <Notice title={text.missing} isAlert />
  const labels = labelsOf(items.map(({ id }) => id))
  return (
    <>
      <Table label={text.several} columns={COLUMNS}>
        {items.map(({ id, project, branch, config, status, startedAt, serverStartedAt }, at) => (
          <tr key={id} data-testid="named-build">
            <td>
              <Link to={`/builds/${id}`} className={layout.link}>
                <code>{labels[at]}</code>
              </Link>
            </td>
            <td>{project}</td>
            <td className={layout.soft}>{branch}</td>
            <td>{config}</td>
            <td>{statusName[status]}</td>
            <td className={layout.nowrap}>
              <Ago at={beganAt({ startedAt, serverStartedAt })} />
            </td>
          </tr>
        ))}
      </Table>
      {nextCursor != null && <p className={layout.faint}>{text.moreNamed}</p>}
    </>
  )
}

/** The build's own address, with the part of the build that was asked for. */
function Go({ id }: { id: string }) {
  const { search, hash } = useLocation()
  return <Navigate replace to={{ pathname: `/builds/${id}`, search, hash }} />
}
