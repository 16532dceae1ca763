"""Log quotas: how much text of its builds' logs a project keeps, as config.yaml says and the store holds."""

from collections.abc import Mapping

from build_chassis.projects import Projects

from build_ingest.records.cut import Quota
from build_ingest.store import BuildStore

LOOK_SECONDS = 60.0
"""How late it may be noticed that a project has all that it may keep."""


class LogQuotas:
    """What builds may still keep; what all builds of a project have together is as of the last look."""

    def __init__(self, store: BuildStore, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self._stored: Mapping[str, int] = {}

    async def look(self) -> None:
        """Find out how much each project has. Raises StoreUnavailable."""
        self._stored = await self._store.log_bytes()

    def of(self, project: str) -> Quota:
        """What a build of the project may keep."""
        known = self._projects.get(project)
        if known.logs_max_bytes is not None and self._stored.get(project, 0) >= known.logs_max_bytes:
            reason = f"project {project} has all {known.logs_max_bytes} bytes of logs that it may keep (logs_max_bytes)"
            return Quota(0, reason)
        return Quota(
            known.log_max_bytes, f"a log of project {project} keeps {known.log_max_bytes} bytes (log_max_bytes)"
        )
