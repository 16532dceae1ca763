"""Steps: the slowest steps of builds, each followed over the builds that report it. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_history.builds.fact import STEPS_KEPT, Fact


class StepInBuild(WireModel):
    """How long a step took in one build."""

    build_id: BuildId
    commit: str | None = None
    started_at: EpochMs
    duration_ms: Count


class StepOverBuilds(WireModel):
    """One slow step of a config: how long it took in each of the newest builds that report it, newest first."""

    config: str
    output: str
    latest_ms: Count
    previous_ms: Count | None = Field(None, description="In the build before, where that reports it.")
    builds: list[StepInBuild]


def slowest_steps(facts: Iterable[Fact]) -> list[StepOverBuilds]:
    """The slowest steps of each config's newest build among these, followed back over the others; slowest first."""
    by_config: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in sorted(facts, key=lambda fact: fact.point.order, reverse=True):
        by_config[fact.config].append(fact)
    found = [
        StepOverBuilds(
            config=config,
            output=step.output,
            latest_ms=step.duration_ms,
            previous_ms=step.previous_ms,
            builds=[
                StepInBuild(
                    build_id=fact.id, commit=fact.commit, started_at=fact.started_at, duration_ms=other.duration_ms
                )
                for fact in known
                for other in fact.slowest
                if other.output == step.output
            ],
        )
        for config, known in by_config.items()
        for step in known[0].slowest[:STEPS_KEPT]
    ]
    return sorted(found, key=lambda step: (-step.latest_ms, step.config, step.output))
