"""Heeding: when config.yaml changes who opens incidents, the branches that were told otherwise are told anew."""

from collections.abc import Mapping

from build_chassis.projects import Projects
from build_protocol.project_config import Project

from build_history.builds.index_keys import Touched
from build_history.projections.config_state import excluded_configs_of
from build_history.refresh import row_kinds
from build_history.refresh.refresh import refresh
from build_history.store import HistoryStore

BRANCHES_MAX = 10_000


class ConfigWatcher:
    """Watches one config.yaml; `step` is one look at it."""

    def __init__(self, store: HistoryStore, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self._heeded: Mapping[str, Project] | None = None

    def excluded_configs(self, project: str) -> frozenset[str]:
        """The configs of a project that open no incidents, as the file has it now."""
        return excluded_configs_of(self._projects.get(project))

    async def step(self) -> int:
        """How many branches were told anew; the file unchanged, none is looked at. Repeating is harmless."""
        current = self._projects.current()
        if current is self._heeded:
            return 0
        rows = await self._store.rows("branch", limit=BRANCHES_MAX)
        told = [row_kinds.read_as(row_kinds.Branch, row) for row in rows]
        stale = {
            Touched("branch", (branch.project, branch.branch))
            for branch in told
            if frozenset(branch.excluded_configs) != self.excluded_configs(branch.project)
        }
        await refresh(self._store, stale, {}, self.excluded_configs)
        self._heeded = current
        return len(stale)
