"""Config state: what the server's config.yaml says of configs, beside how their lanes are. Pure.

Only configs in state `production` count as red or green, and hold back a pin; an incident that only configs in
`staging` show is their owners' business, and those in `silent` show none.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from build_chassis.projects import config_of
from build_protocol.model import Count, EpochMs, WireModel
from build_protocol.project_config import Project, QuarantinedTest
from pydantic import Field

from build_history.projections.lanes import LaneState

State = Literal["production", "staging", "silent"]


class ConfigStates(NamedTuple):
    """What config.yaml keeps out of a project's incidents: configs that are not in production, tests in quarantine."""

    staging: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    quarantine: tuple[QuarantinedTest, ...] = ()

    @property
    def excluded_configs(self) -> frozenset[str]:
        """The configs that are not in production."""
        return self.staging | self.silent


ExcludedConfigs = Callable[[str], ConfigStates]
"""The configs of a project that are not in production."""

MINUTE_MS = 60_000


class DeclaredConfig(WireModel):
    """What config.yaml says of a config; every default for one it does not name."""

    state: State = "production"
    owner: str | None = None
    tags: list[str] = Field(default_factory=list)
    cadence_minutes: Count | None = None


class Overdue(WireModel):
    """A config of which a build was expected; without `lastStartedAt` none was ever seen on its branch."""

    project: str
    branch: str | None = None
    config: str
    owner: str | None = None
    state: State
    cadence_minutes: Count
    last_started_at: EpochMs | None = None
    overdue_ms: Count | None = Field(None, description="Since when a build should have begun; absent = never built.")


def no_config_excluded(_project: str) -> ConfigStates:
    """Without a config.yaml every config is in production."""
    return ConfigStates()


def states_in(project: Project) -> ConfigStates:
    """What a project's file keeps out of its incidents."""
    named: dict[str, list[str]] = {"staging": [], "silent": []}
    for name, config in project.configs.items():
        if config.state != "production":
            named[config.state].append(name)
    return ConfigStates(frozenset(named["staging"]), frozenset(named["silent"]), project.quarantine)


def declared_config(project: Project, name: str) -> DeclaredConfig:
    """What a project's file says of a config."""
    config = config_of(project, name)
    return DeclaredConfig(
        state=config.state, owner=config.owner, tags=list(config.tags), cadence_minutes=config.cadence_minutes
    )


def cadences_ms(project: Project) -> dict[str, int]:
    """How often a build of each config is expected, where config.yaml names it."""
    return {
        name: config.cadence_minutes * MINUTE_MS
        for name, config in project.configs.items()
        if config.cadence_minutes is not None
    }


def overdue(
    projects: Mapping[str, Project], branches: Mapping[str, str | None], lanes: Iterable[LaneState], now_ms: int
) -> list[Overdue]:
    """The configs whose cadence ran out on their project's branch, the longest overdue first, the never built last."""
    newest: dict[tuple[str, str], int] = {
        (lane.project, lane.config): lane.latest.started_at
        for lane in lanes
        if lane.branch == (branches.get(lane.project) or "")
    }
    found = [
        Overdue(
            project=name,
            branch=branches.get(name),
            config=config,
            owner=declared_config(project, config).owner,
            state=declared_config(project, config).state,
            cadence_minutes=cadence_ms // MINUTE_MS,
            last_started_at=newest.get((name, config)),
            overdue_ms=None if (last := newest.get((name, config))) is None else max(0, now_ms - last - cadence_ms),
        )
        for name, project in projects.items()
        for config, cadence_ms in cadences_ms(project).items()
        if config_of(project, config).state != "silent"
    ]
    late = [item for item in found if item.overdue_ms != 0]
    return sorted(late, key=lambda item: (item.overdue_ms is None, -(item.overdue_ms or 0), item.project, item.config))
