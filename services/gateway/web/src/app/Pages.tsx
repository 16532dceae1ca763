/** Pages: which page an address shows; who is not signed in is asked to, at that same address. */
import { lazy, Suspense } from 'react'
import { Navigate, Route, Routes, useLocation } from 'react-router'
import { NowPage } from '../now/NowPage'
import { LoginPage } from '../login/LoginPage'
import { Shell } from '../shell/Shell'
import { useSession } from './app-context'
import { Crash } from './Crash'

const AgentsPage = lazy(() => import('../agents/AgentsPage').then((module) => ({ default: module.AgentsPage })))
const BuildPage = lazy(() => import('../build/BuildPage').then((module) => ({ default: module.BuildPage })))
const CommitPage = lazy(() => import('../commit/CommitPage').then((module) => ({ default: module.CommitPage })))
const CommitsPage = lazy(() => import('../commit/CommitsPage').then((module) => ({ default: module.CommitsPage })))
const FailurePage = lazy(() => import('../failures/FailurePage').then((module) => ({ default: module.FailurePage })))
const FailuresPage = lazy(() => import('../failures/FailuresPage').then((module) => ({ default: module.FailuresPage })))
const GridPage = lazy(() => import('../grid/GridPage').then((module) => ({ default: module.GridPage })))
const HistoryPage = lazy(() => import('../trends/HistoryPage').then((module) => ({ default: module.HistoryPage })))
const NotificationsPage = lazy(() =>
  import('../notifications/NotificationsPage').then((module) => ({ default: module.NotificationsPage })),
)
const PinsPage = lazy(() => import('../pins/PinsPage').then((module) => ({ default: module.PinsPage })))
const ProjectsPage = lazy(() => import('../grid/ProjectsPage').then((module) => ({ default: module.ProjectsPage })))
const SettingsPage = lazy(() => import('../settings/SettingsPage').then((module) => ({ default: module.SettingsPage })))
const TestsPage = lazy(() => import('../tests/TestsPage').then((module) => ({ default: module.TestsPage })))

export function Pages() {
  const session = useSession()
  const { pathname } = useLocation()
  if (session.state === 'starting') return null
  if (session.state === 'signed-out') return <LoginPage />
  return (
    <Shell user={session.user}>
      <Crash key={pathname}>
        <Suspense fallback={null}>
          <Routes>
            <Route path="/" element={<NowPage />} />
            <Route path="/builds/:id" element={<BuildPage />} />
            <Route path="/p" element={<ProjectsPage />} />
            <Route path="/p/:project/*" element={<GridPage />} />
            <Route path="/failures" element={<FailuresPage />} />
            <Route path="/failures/:signature" element={<FailurePage />} />
            <Route path="/tests" element={<TestsPage />} />
            <Route path="/history" element={<HistoryPage />} />
            <Route path="/pins" element={<PinsPage />} />
            <Route path="/c" element={<CommitsPage />} />
            <Route path="/c/:sha" element={<CommitPage />} />
            <Route path="/agents" element={<AgentsPage />} />
            <Route path="/notifications" element={<NotificationsPage />} />
            <Route path="/settings" element={<SettingsPage />} />
            <Route path="*" element={<Navigate to="/" replace />} />
          </Routes>
        </Suspense>
      </Crash>
    </Shell>
  )
}
