"""Heeding: when config.yaml changes who opens incidents, the branches that were told otherwise are told anew."""

from collections.abc import Mapping

from build_protocol.project_config import Project
from chassis.projects import Projects

from history import derived
from history.filing import Touched
from history.refresh import refresh
from history.standing import unheard_in
from history.store import HistoryStore

BRANCHES_MAX = 10_000


class Heeder:
    """Watches one config.yaml; `step` is one look at it."""

    def __init__(self, store: HistoryStore, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self._heeded: Mapping[str, Project] | None = None

    def unheard(self, project: str) -> frozenset[str]:
        """The configs of a project that open no incidents, as the file has it now."""
        return unheard_in(self._projects.get(project))

    async def step(self) -> int:
        """How many branches were told anew; the file unchanged, none is looked at. Repeating is harmless."""
        current = self._projects.current()
        if current is self._heeded:
            return 0
        rows = await self._store.rows("branch", limit=BRANCHES_MAX)
        told = [derived.read_as(derived.Branch, row) for row in rows]
        stale = {
            Touched("branch", (branch.project, branch.branch))
            for branch in told
            if frozenset(branch.unheard) != self.unheard(branch.project)
        }
        await refresh(self._store, stale, {}, self.unheard)
        self._heeded = current
        return len(stale)
