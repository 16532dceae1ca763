"""The verdict: what the other services act on when a build ended or its lease ran out. Pure."""

from collections.abc import Sequence
from typing import cast

from build_chassis.bus import Outgoing
from build_protocol.messages import BuildFailing, BuildStart, BuildVerdict, BuildVerdictData, FailureData, FinalStatus
from build_protocol.topology import routing_key
from build_protocol.views import Build

from build_ingest.records.fold import BuildState, facts_of

FAILURES = 50
"""A verdict carries so many of the first failures; the build's own page has all that are kept."""

_OF_THE_BUILD = (Build.model_fields.keys() & BuildVerdictData.model_fields.keys()) - {
    *("status", "revision", "first_failure")
}
"""What a verdict reports just as the build's row has it."""


def verdict_of(state: BuildState, start: BuildStart, failures: Sequence[FailureData] = ()) -> BuildVerdict:
    """The verdict of the state's current revision of judgement; key (build id, that revision)."""
    status = cast("FinalStatus", state.build.status)
    return BuildVerdict(
        build_id=state.build.id,
        project=state.build.project,
        timestamp=state.build.server_ended_at or state.build.ended_at or state.build.updated_at or start.timestamp,
        data=_judgement(state, start, failures, status, state.verdict_revision),
    )


def failing_of(state: BuildState, start: BuildStart, failures: Sequence[FailureData], *, now_ms: int) -> BuildFailing:
    """What a verdict would report of a build that still runs and cannot end green any more; key build id."""
    judgement = _judgement(state, start, failures, "failed", 0)
    return BuildFailing(
        build_id=state.build.id,
        project=state.build.project,
        timestamp=now_ms,
        data=judgement.model_copy(update={"provisional": True}),
    )


def outgoing(message: BuildVerdict | BuildFailing, state: BuildState) -> Outgoing:
    """The message as the bus takes it."""
    key = routing_key(message.type, message.build_id, message.project)
    headers = {"build_id": message.build_id, "agent": state.build.agent or ""}
    return Outgoing(key, message.to_json().encode(), headers)


def _judgement(
    state: BuildState, start: BuildStart, failures: Sequence[FailureData], status: FinalStatus, revision: int
) -> BuildVerdictData:
    build, facts = state.build, facts_of(start, state)
    return BuildVerdictData(
        status=status,
        revision=revision,
        first_failure=failures[0] if failures else None,
        failures=list(failures[:FAILURES]),
        pins=facts.pins,
        commits=facts.commits,
        **{name: getattr(build, name) for name in _OF_THE_BUILD},
    )


def is_final(state: BuildState) -> bool:
    """Whether the state can be judged: a build that reports again after `lost` waits for its real end."""
    return state.build.status not in ("queued", "running")
