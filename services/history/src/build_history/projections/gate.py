"""Gates: may this commit be released, or bumped to, as far as the configs that gate it tell. Pure.

A gate is open at a commit where every config that config.yaml lets gate it passed it: by a build of the very commit,
or of a later one that includes it. What did not answer yet keeps it closed, and is named: silence is no pass.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from build_chassis.projects import config_of
from build_protocol.model import Count, EpochMs, WireModel
from build_protocol.project_config import Gate, Project
from pydantic import Field

from build_history.projections.commits import CommitPlace, CommitRow, ConfigAnswer
from build_history.projections.config_state import Overdue
from build_history.projections.lanes import LaneState

GateState = Literal["open", "blocked", "waiting", "unknown"]
Hindrance = Literal["failed", "running", "not_built", "inconclusive", "agent_lost", "overdue", "never_built"]


class Lag(WireModel):
    """How far the newest result of a config is behind the head of its branch, as far as its commits are known."""

    commit: str | None = Field(None, description="The newest commit with a result; absent = none of those known.")
    commits: Count = Field(description="Newer commits without one; at least, where `commit` is absent.")
    since_at: EpochMs | None = Field(None, description="When the oldest of them was made; absent = none waits.")
    before: Count | None = Field(
        None, description="Commits that waited when the result before was begun; more than `commits`: it catches up."
    )


class GateConfig(WireModel):
    """One config that gates: what it says of the commit, and what hinders, where it does."""

    config: str
    owner: str | None = None
    answer: ConfigAnswer
    hindrance: Hindrance | None = Field(None, description="Why it keeps the gate closed; absent = it does not.")
    lag: Lag = Field(description="How far it is behind the newest commit of the branch.")


class GateAnswer(WireModel):
    """Whether a gate is open at a commit: `blocked` by what failed, `waiting` for what did not answer yet."""

    project: str
    branch: str
    gate: Gate = Field(description="What is to be let through: a release, or a bump of what the project builds on.")
    commit: str | None = Field(None, description="Absent: no commit of the branch is known.")
    state: GateState = Field(description="`unknown`: no config gates it, or there is no commit.")
    configs: list[GateConfig]
    last_open: str | None = Field(
        None, description="The newest known commit that every one of them built and passed; absent = none."
    )
    unknown: list[str] = Field(default_factory=list)


def gating(project: Project, gate: Gate) -> list[str]:
    """The configs that gate it, by name."""
    return sorted(name for name, config in project.configs.items() if gate in config.gates)


def lag_of(config: str, ordered: Sequence[CommitRow]) -> Lag:
    """How far a config is behind, by the commits of its branch, newest first."""
    results = [
        (place, cell)
        for place, row in enumerate(ordered)
        for cell in row.cells
        if cell.config == config and cell.colour != "none"
    ]
    waiting = ordered[: results[0][0]] if results else ordered
    made_at = [made for row in waiting if (made := _made_at(row)) is not None]
    before = None
    if len(results) > 1:
        place, cell = results[1]
        before = sum((_made_at(row) or 0) <= cell.started_at for row in ordered[:place])
    return Lag(
        commit=ordered[results[0][0]].info.sha if results else None,
        commits=len(waiting),
        since_at=min(made_at, default=None),
        before=before,
    )


def gate_of(
    gate: Gate,
    commit: CommitRow,
    answered: Sequence[ConfigAnswer],
    ordered: Sequence[CommitRow],
    *,
    lanes: Sequence[LaneState],
    overdue: Sequence[Overdue],
    configured: Project,
) -> GateAnswer:
    """A gate at a commit of a branch.

    Args:
        answered: what the configs of the branch say of the commit.
        ordered: commits of the branch, newest first.
        lanes: the lanes of the branch.
        overdue: the configs of the project of which a build is expected.
    """
    by_config = {answer.config: answer for answer in answered}
    lane_of = {lane.config: lane for lane in lanes}
    late = {item.config for item in overdue}
    configs = []
    for name in gating(configured, gate):
        answer = by_config.get(name) or ConfigAnswer(config=name, answer="not_built", exact=False)
        configs.append(
            GateConfig(
                config=name,
                owner=config_of(configured, name).owner,
                answer=answer,
                hindrance=_hindrance(answer, lane_of.get(name), is_overdue=name in late),
                lag=lag_of(name, ordered),
            )
        )
    return GateAnswer(
        project=commit.project,
        branch=commit.branch,
        gate=gate,
        commit=commit.info.sha,
        state=_state(configs),
        configs=configs,
        last_open=_last_open([each.config for each in configs], ordered),
        unknown=[] if configs else [f"no config of {commit.project} has `gates: [{gate}]` in config.yaml"],
    )


_HINDRANCE_OF: Mapping[str, Hindrance | None] = {
    "passed": None,
    "failed": "failed",
    "running": "running",
    "will_include": "running",
}
"""What answers say by themselves; of others it is looked for why there is none."""


def _hindrance(answer: ConfigAnswer, lane: LaneState | None, *, is_overdue: bool) -> Hindrance | None:
    if answer.answer in _HINDRANCE_OF:
        return _HINDRANCE_OF[answer.answer]
    if lane is None:
        return "never_built"
    if lane.latest.status == "lost":
        return "agent_lost"
    if is_overdue:
        return "overdue"
    return "inconclusive" if answer.answer == "inconclusive" else "not_built"


def _state(configs: Sequence[GateConfig]) -> GateState:
    if not configs:
        return "unknown"
    hindrances = {each.hindrance for each in configs}
    if "failed" in hindrances:
        return "blocked"
    return "open" if hindrances == {None} else "waiting"


def _last_open(configs: Sequence[str], ordered: Sequence[CommitRow]) -> str | None:
    for row in ordered if configs else ():
        colours: Mapping[str, str] = {cell.config: cell.colour for cell in row.cells}
        if all(colours.get(config) == "green" for config in configs):
            return row.info.sha
    return None


def _made_at(row: CommitPlace) -> int | None:
    return row.info.committed_at or row.first_built_at
