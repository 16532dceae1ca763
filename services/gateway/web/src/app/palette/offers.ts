/** What the palette offers for what was typed: pages, projects, builds, a commit. */
import { toCommit, toGrid } from '@/shared/address/links'
import { shortSha } from '@/shared/format'
import { answersTo, nameOf, shortId } from '@/shared/format/build-id'
import { isSha } from '@/shared/format/sha'
import { palette as text, statusName } from '@/shared/i18n'
import type { Build, LaneSummary } from '@/shared/wire'
import { PLACES } from './places'

export interface Offer {
  to: string
  title: string
  /** What distinguishes it from others of the same title. */
  detail: string
}

const BUILDS = 8

/** Every word must be in an offer, in any order; what was typed itself can be looked up, too. */
export function offersFor(typed: string, lanes: readonly LaneSummary[], builds: readonly Build[]): Offer[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
  const isWanted = ({ title, detail }: Offer) =>
    words.every((word) => `${title} ${detail}`.toLowerCase().includes(word))
  const name = nameOf(typed)
  const answering = name ? builds.filter(({ id }) => answersTo(id, name)).map(offerOf) : []
  const pages = PLACES.map(({ path, name }) => ({ to: path, title: name, detail: text.page }))
  const found = [
    ...pages.filter(isWanted),
    ...branchesOf(lanes).filter(isWanted),
    ...(words.length === 0 ? [] : [...answering, ...builds.map(offerOf).filter(isWanted)].slice(0, BUILDS)),
    ...lookUps(typed.trim()),
  ]
  return [...new Map(found.map((offer) => [offer.to, offer])).values()]
}

function branchesOf(lanes: readonly LaneSummary[]): Offer[] {
  const branches = new Map(
    lanes.map(({ project, branch }) => [
      `${project}\n${branch}`,
      { to: toGrid(project, branch), title: project, detail: branch },
    ]),
  )
  return [...branches.values()]
}

function offerOf(build: Build): Offer {
  const parts = [
    statusName[build.status],
    build.branch,
    build.config,
    build.commit && shortSha(build.commit),
    build.commitSubject,
    build.commitAuthor,
    shortId(build.id),
  ]
  return { to: `/builds/${build.id}`, title: build.project, detail: parts.filter(Boolean).join(' · ') }
}

function lookUps(typed: string): Offer[] {
  if (typed === '') return []
  const name = nameOf(typed)
  return [
    ...(isSha(typed) ? [{ to: toCommit(typed), title: text.commit(typed), detail: '' }] : []),
    ...(name ? [{ to: `/builds/${name.id ?? name.digits}`, title: text.build(typed), detail: '' }] : []),
    { to: `/?q=${encodeURIComponent(typed)}`, title: text.search(typed), detail: '' },
  ]
}
