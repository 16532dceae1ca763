"""The config watch: when config.yaml changes whose incidents count, the branches folded otherwise are folded anew."""

from collections.abc import Mapping

from build_chassis.projects import Projects
from build_protocol.clock import Clock, now_ms
from build_protocol.project_config import Project

from build_history.builds.index_keys import Touched
from build_history.projections.config_state import ConfigStates, states_in
from build_history.refresh import row_kinds
from build_history.refresh.refresh import refresh
from build_history.store import HistoryStore
from build_history.store.contract import RowQuery

BRANCHES_MAX = 10_000


class ConfigWatcher:
    """Watches one config.yaml; `step` is one look at it."""

    def __init__(self, store: HistoryStore, projects: Projects, clock: Clock = now_ms) -> None:
        self._store = store
        self._clock = clock
        self._projects = projects
        self._applied: Mapping[str, Project] | None = None

    def excluded_configs(self, project: str) -> ConfigStates:
        """The configs of a project that are not in production, as the file has it now."""
        return states_in(self._projects.get(project))

    async def step(self) -> int:
        """How many branches were folded anew; the file unchanged, none is looked at. Repeating is harmless."""
        current = self._projects.current()
        if current is self._applied:
            return 0
        rows = await self._store.rows(RowQuery("branch", limit=BRANCHES_MAX))
        branches = [row_kinds.read_as(row_kinds.Branch, row) for row in rows]
        stale = {
            Touched("branch", (branch.project, branch.branch))
            for branch in branches
            if branch.states != self.excluded_configs(branch.project)
        }
        await refresh(self._store, stale, {}, self.excluded_configs, self._clock)
        self._applied = current
        return len(stale)
