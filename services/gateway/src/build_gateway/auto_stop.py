"""Auto-stop: the end of a build that cannot end green any more is ordered, where its project's config.yaml asks it."""

import asyncio
import logging

from build_chassis.projects import Projects
from build_protocol.messages import Origin

from build_gateway.audit import Audit
from build_gateway.commands import Commands

logger = logging.getLogger("gateway")

REQUESTED_BY = "config.yaml (stop_failing)"
STOPPED_ORIGINS: tuple[Origin, ...] = ("ci", "premerge")
"""A build that a person started is theirs to stop."""

KNOWN_MAX = 10_000
"""So many builds are known to be ordered; one that is met again is ordered once all the same."""


class AutoStop:
    """Notices failing builds, and orders their end once each."""

    def __init__(self, projects: Projects, commands: Commands, audit: Audit) -> None:
        self._projects = projects
        self._commands = commands
        self._audit = audit
        self._waiting: dict[str, tuple[str, str]] = {}
        self._ordered: dict[str, None] = {}
        self.wake = asyncio.Event()

    def notice(self, build_id: str, *, project: str, agent: str | None, origin: Origin) -> None:
        """A build is failing. Its rows come until it ends, so what could not be ordered is noticed again."""
        if agent is None or origin not in STOPPED_ORIGINS or build_id in self._ordered:
            return
        known = self._projects.current().get(project)
        if known is not None and known.stop_failing:
            self._waiting[build_id] = (agent, project)
            self.wake.set()

    async def order(self) -> None:
        """Order the end of what was noticed; every gateway does, and one order is stored. Raises StoreUnavailable."""
        while self._waiting:
            build_id, (agent, project) = next(iter(self._waiting.items()))
            row = await self._commands.cancel(build_id, agent=agent, project=project, requested_by=REQUESTED_BY)
            self._waiting.pop(build_id, None)
            self._ordered[build_id] = None
            if len(self._ordered) > KNOWN_MAX:
                del self._ordered[next(iter(self._ordered))]
            if row.requested_by == REQUESTED_BY:
                await self._audit.note(REQUESTED_BY, "cancel", build_id, f"command {row.id}: it was failing")
            logger.info("stop failing build %s of agent %s: command %s", build_id, agent, row.id)
