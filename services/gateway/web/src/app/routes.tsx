/** Pages: which page an address shows; who is not signed in is asked to, at that same address. */
import { matchPath, Navigate, Route, Routes, useLocation } from 'react-router'
import { LoginPage } from '@/app/login/LoginPage'
import { Shell } from '@/app/shell/Shell'
import { useSession } from '@/shared/api/app-context'
import { onDemand } from '@/shared/ui/on-demand'
import { Crash } from './Crash'
import { NowPage } from './NowPage'

const AccountPage = onDemand(() => import('@/features/account/AccountPage').then((module) => module.AccountPage))
const AgentsPage = onDemand(() => import('@/features/agents/AgentsPage').then((module) => module.AgentsPage))
const AuditPage = onDemand(() => import('@/features/audit/AuditPage').then((module) => module.AuditPage))
const BuildPage = onDemand(() => import('@/features/build/BuildPage').then((module) => module.BuildPage))
const CommitPage = onDemand(() => import('@/features/commits/CommitPage').then((module) => module.CommitPage))
const CommitsPage = onDemand(() => import('@/features/commits/CommitsPage').then((module) => module.CommitsPage))
const FailurePage = onDemand(() => import('@/features/failures/FailurePage').then((module) => module.FailurePage))
const FailuresPage = onDemand(() => import('@/features/failures/FailuresPage').then((module) => module.FailuresPage))
const GrantPage = onDemand(() => import('@/features/account/GrantPage').then((module) => module.GrantPage))
const GatesPage = onDemand(() => import('@/features/gates/GatesPage').then((module) => module.GatesPage))
const GridPage = onDemand(() => import('@/features/grid/GridPage').then((module) => module.GridPage))
const IncidentPage = onDemand(() => import('@/features/incidents/IncidentPage').then((module) => module.IncidentPage))
const TrendsPage = onDemand(() => import('@/features/trends/TrendsPage').then((module) => module.TrendsPage))
const NotificationsPage = onDemand(() =>
  import('@/features/notifications/NotificationsPage').then((module) => module.NotificationsPage),
)
const OperationPage = onDemand(() =>
  import('@/features/operation/OperationPage').then((module) => module.OperationPage),
)
const PinsPage = onDemand(() => import('@/features/pins/PinsPage').then((module) => module.PinsPage))
const ProjectsPage = onDemand(() => import('@/features/grid/ProjectsPage').then((module) => module.ProjectsPage))
const SearchPage = onDemand(() => import('@/features/search/SearchPage').then((module) => module.SearchPage))
const SettingsPage = onDemand(() => import('@/features/settings/SettingsPage').then((module) => module.SettingsPage))
const SourcesPage = onDemand(() => import('@/features/sources/SourcesPage').then((module) => module.SourcesPage))
const TestsPage = onDemand(() => import('@/features/tests/TestsPage').then((module) => module.TestsPage))

const PAGES = {
  '/builds/:id': BuildPage,
  '/p': ProjectsPage,
  '/p/:project/*': GridPage,
  '/failures': FailuresPage,
  '/failures/:signature': FailurePage,
  '/incidents/:id': IncidentPage,
  '/tests': TestsPage,
  '/history': TrendsPage,
  '/pins': PinsPage,
  '/c': CommitsPage,
  '/c/:sha': CommitPage,
  '/gates': GatesPage,
  '/search': SearchPage,
  '/agents': AgentsPage,
  '/sources': SourcesPage,
  '/notifications': NotificationsPage,
  '/operation': OperationPage,
  '/settings': SettingsPage,
  '/audit': AuditPage,
  '/account': AccountPage,
  '/account/grant': GrantPage,
}

/** Begins to load the page of an address, while it is still found out who is signed in. */
export function preloadPage(pathname: string): void {
  // What fails here fails again where the page is drawn, and is shown there.
  for (const [path, page] of Object.entries(PAGES)) if (matchPath(path, pathname)) page.preload().catch(() => undefined)
}

export function Pages() {
  const session = useSession()
  const { pathname } = useLocation()
  if (session.state === 'starting') return null
  if (session.state === 'signed-out') return <LoginPage />
  return (
    <Shell user={session.state === 'visiting' ? undefined : session.user}>
      <Crash key={pathname}>
        <Routes>
          <Route path="/" element={<NowPage />} />
          {Object.entries(PAGES).map(([path, Page]) => (
            <Route key={path} path={path} element={<Page />} />
          ))}
          <Route path="*" element={<Navigate to="/" replace />} />
        </Routes>
      </Crash>
    </Shell>
  )
}
