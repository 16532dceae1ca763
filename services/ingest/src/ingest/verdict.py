"""The verdict: what the other services act on when a build ended or its lease ran out. Pure."""

from collections.abc import Sequence
from typing import cast

from build_protocol.messages import BuildStart, BuildVerdict, BuildVerdictData, FailureData, FinalStatus

from ingest.fold import BuildState, facts_of

FAILURES = 50
"""A verdict carries so many of the first failures; the build's own page has all that are kept."""


def verdict_of(state: BuildState, start: BuildStart, failures: Sequence[FailureData] = ()) -> BuildVerdict:
    """The verdict of the state's current revision of judgement; key (build id, that revision)."""
    build, facts = state.build, facts_of(start, state)
    return BuildVerdict(
        build_id=build.id,
        project=build.project,
        timestamp=build.ended_at or build.updated_at or start.timestamp,
        data=BuildVerdictData(
            status=cast("FinalStatus", build.status),
            revision=state.verdict_revision,
            branch=build.branch,
            config=build.config,
            origin=build.origin,
            commit=build.commit,
            agent=build.agent,
            provisional=build.provisional,
            started_at=build.started_at,
            ended_at=build.ended_at,
            duration_ms=build.duration_ms,
            exit_code=build.exit_code,
            error=build.error,
            log_lines=build.log_lines,
            metrics=build.metrics,
            first_failure=failures[0] if failures else None,
            failures=list(failures[:FAILURES]),
            pins=facts.pins,
            commits=facts.commits,
        ),
    )


def is_final(state: BuildState) -> bool:
    """Whether the state can be judged: a build that speaks again after `lost` waits for its real end."""
    return state.build.status not in ("queued", "running")
