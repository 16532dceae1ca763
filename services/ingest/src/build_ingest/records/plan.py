"""The plan of a batch: what is new and in order, what came before, what is ahead of a hole. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from build_protocol.clocks import StartTime
from build_protocol.messages import BuildComplete, BuildStart
from build_protocol.start_time import start_time_of

from build_ingest.records import fold
from build_ingest.records.chunk import Chunk, pack, position_of
from build_ingest.records.cut import Quota, cut, without_text
from build_ingest.records.delivery import RecordDelivery
from build_ingest.records.fold import BuildState, Misplaced


@dataclass(frozen=True, slots=True)
class Step:
    """One build's step from `before` to `after`, as it is committed: all of it or nothing."""

    before: BuildState | None
    after: BuildState
    start: BuildStart | None
    """Set for the first step of a build only."""
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a build's deliveries."""

    step: Step | None
    """None: nothing new in order."""
    accepted: list[RecordDelivery]
    duplicates: list[RecordDelivery]
    """Of seqs already stored: compare with what is stored, then forget."""
    ahead: dict[int, RecordDelivery]
    """Beyond a hole, by seq: they wait until it is filled."""
    poison: list[str]


def plan_build(
    state: BuildState | None,
    buffered: Mapping[int, RecordDelivery],
    deliveries: Sequence[RecordDelivery],
    quota: Quota | None = None,
) -> Plan:
    """Decide about one build's deliveries, given its state and the records that already wait beyond a hole.

    `quota` is what the build may keep of its log; None: all of it.
    """
    applied = 0 if state is None else state.applied
    owner = _owner(state, buffered, deliveries)
    duplicates: list[RecordDelivery] = []
    poison: list[str] = []
    # Buffered records of another agent than the owner's were received before the owner's first.
    ahead = {seq: delivery for seq, delivery in buffered.items() if owner in (None, delivery.agent)}
    for delivery in deliveries:
        record = delivery.record
        if owner not in (None, delivery.agent) or (state is not None and record.project != state.build.project):
            poison.append(f"record {record.seq} of build {record.build_id} is not its agent's: {delivery.agent!r}")
        elif delivery.seq <= applied:
            duplicates.append(delivery)
        elif delivery.seq in ahead and ahead[delivery.seq].body != delivery.body:
            poison.append(other_bytes(delivery))
        else:
            ahead.setdefault(delivery.seq, delivery)
    accepted: list[RecordDelivery] = []
    while (following := applied + len(accepted) + 1) in ahead:
        accepted.append(ahead.pop(following))
    if not accepted:
        return Plan(None, [], duplicates, ahead, poison)
    try:
        kept = without_text(state, accepted)
        step = step_of(state, kept)
    except Misplaced as error:
        return Plan(None, [], duplicates, {}, [*poison, str(error)])
    step = replace(step, after=cut(step.after, accepted, quota))
    return Plan(step, kept, duplicates, ahead, poison)


def step_of(before: BuildState | None, deliveries: Sequence[RecordDelivery]) -> Step:
    """The step that consecutive deliveries make; raises Misplaced when the first cannot begin a build."""
    first = deliveries[0]
    state = _begin(first) if before is None else before
    complete = state.complete
    placed: list[RecordDelivery] = []
    for delivery in deliveries:
        refused = not fold.may_follow(state, delivery.record, complete)
        placed.append(delivery.refuse() if refused else delivery)
        complete = complete or isinstance(delivery.record, BuildComplete)
    chunks, growth = pack(first.record.build_id, placed, position_of(before))
    effective = [delivery.record for delivery in placed if delivery.log is None and not delivery.refused]
    ends = (d.receipt for d in placed if isinstance(d.record, BuildComplete) and not d.refused)
    end = next(ends, None)
    after = fold.fold(
        state, effective, growth, upto=deliveries[-1].seq, end_received_at=end.received_at if end else None
    )
    start = first.record if before is None and isinstance(first.record, BuildStart) else None
    return Step(before, after, start, chunks)


def _begin(first: RecordDelivery) -> BuildState:
    record = first.record
    start_time = start_time_of(record, first.receipt) if isinstance(record, BuildStart) else StartTime()
    return fold.begin(record, first.agent, start_time)


def other_bytes(delivery: RecordDelivery) -> str:
    """The reason for quarantining a record whose seq is stored with other bytes: the first is kept."""
    return f"record {delivery.seq} of build {delivery.record.build_id} came again with other bytes; the first is kept"


def _owner(
    state: BuildState | None, buffered: Mapping[int, RecordDelivery], deliveries: Sequence[RecordDelivery]
) -> str | None:
    """The agent that started the build; None while its first record is missing."""
    if state is not None:
        return state.build.agent
    firsts = (delivery.agent for delivery in (*buffered.values(), *deliveries) if delivery.seq == 1)
    return next(firsts, None)
