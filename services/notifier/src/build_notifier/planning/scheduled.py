"""Scheduled work: what happens without a message: configs become overdue, the day's digest is due."""

from collections.abc import Callable

from build_chassis.projects import Projects, config_of
from build_protocol.clock import DAY_MS, HOUR_MS

from build_notifier.planning import compose
from build_notifier.planning.missing import overdue
from build_notifier.planning.recipients import everybody, not_before
from build_notifier.records import mutes
from build_notifier.records.branch import Branch, Subject
from build_notifier.records.notification import claim_on
from build_notifier.settings import Settings
from build_notifier.store import NotifierStore
from build_notifier.store.branches import change_branch

GRACE_MS = HOUR_MS // 6
"""After its own start the service first receives what it missed; only then does it call anything overdue."""

BRANCHES_MAX = 200
MAIN_BRANCHES = ("main", "master")


class ScheduledWork:
    """Does what is due by the clock; every step may be repeated, by any replica."""

    def __init__(self, store: NotifierStore, projects: Projects, settings: Settings, clock: Callable[[], int]) -> None:
        self._store = store
        self._projects = projects
        self._settings = settings
        self._clock = clock
        self._started_at = clock()

    async def sweep(self) -> None:
        """One round."""
        for name, project in self._projects.current().items():
            if "agent_missing" in project.notify and self._clock() >= self._started_at + GRACE_MS:
                for branch in (project.branch,) if project.branch else MAIN_BRANCHES:
                    await self._mark_overdue(name, branch)
            if "still_red" in project.notify:
                await self._digest(name)

    async def _mark_overdue(self, project: str, branch: str) -> None:
        configs = self._projects.get(project).configs
        await change_branch(
            self._store,
            Branch(project=project, branch=branch),
            lambda known: overdue(known, configs, now_ms=self._clock(), quiet_ms=self._settings.quiet_ms),
        )

    async def _digest(self, name: str) -> None:
        """Sum up, once a day, what was broken before the digest's hour and still is."""
        now_ms = self._clock()
        hour_ms = self._settings.digest_hour * HOUR_MS
        day = (now_ms - hour_ms) // DAY_MS
        since_at = day * DAY_MS + hour_ms
        if since_at < (await self._store.noted_time("restored") or 0):
            return  # that of today may have been sent before the store was restored
        project = self._projects.get(name)
        red = [
            (branch, subject)
            for branch in [stored.branch for stored in await self._store.branches_of(name, BRANCHES_MAX)]
            for subject in branch.open_subjects("break")
            if subject.opened_at < since_at
        ]
        muted = await self._store.mutes() if red else []
        red = [
            (branch, subject)
            for branch, subject in red
            if self._is_public(name, subject) and mutes.covering(muted, subject, name, branch.branch, now_ms) is None
        ]
        if not red:
            return
        message = compose.digest(name, red, self._settings.dashboard_url.rstrip("/"), now_ms)
        await self._store.claim(
            [
                claim_on(
                    recipient,
                    "still_red",
                    f"digest:{name}"[:64],
                    f"digest:{day}",
                    message,
                    project=name,
                    due_at=not_before(project.quiet_hours, now_ms),
                    now_ms=now_ms,
                )
                for recipient in everybody(project)
            ]
        )

    def _is_public(self, name: str, subject: Subject) -> bool:
        project = self._projects.get(name)
        return any(config_of(project, config).state == "production" for config in subject.red_configs)
