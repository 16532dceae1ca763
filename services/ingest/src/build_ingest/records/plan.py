"""The plan of a batch: what is new and in order, what came before, what is ahead of a hole. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from build_protocol.messages import BuildComplete, BuildStart

from build_ingest.records import fold
from build_ingest.records.chunk import Chunk, pack, position_of
from build_ingest.records.delivery import RecordDelivery
from build_ingest.records.fold import BuildState, Misplaced
from build_ingest.records.start_time import StartTime, start_time_of


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
    """What to do with a build's arrivals."""

    step: Step | None
    """None: nothing new in order."""
    accepted: list[RecordDelivery]
    repeats: list[RecordDelivery]
    """Of seqs already stored: compare with what is stored, then forget."""
    ahead: dict[int, RecordDelivery]
    """Beyond a hole, by seq: they wait until it is filled."""
    poison: list[str]


def plan_build(
    state: BuildState | None, waiting: Mapping[int, RecordDelivery], arrivals: Sequence[RecordDelivery]
) -> Plan:
    """Decide about one build's arrivals, given its state and the records that already wait beyond a hole."""
    applied = 0 if state is None else state.applied
    owner = _owner(state, waiting, arrivals)
    repeats: list[RecordDelivery] = []
    poison: list[str] = []
    # Who waits without being the owner was heard before the owner was.
    ahead = {seq: arrival for seq, arrival in waiting.items() if owner in (None, arrival.agent)}
    for arrival in arrivals:
        record = arrival.record
        if owner not in (None, arrival.agent) or (state is not None and record.project != state.build.project):
            poison.append(f"record {record.seq} of build {record.build_id} is not its agent's: {arrival.agent!r}")
        elif arrival.seq <= applied:
            repeats.append(arrival)
        elif arrival.seq in ahead and ahead[arrival.seq].body != arrival.body:
            poison.append(other_bytes(arrival))
        else:
            ahead.setdefault(arrival.seq, arrival)
    accepted: list[RecordDelivery] = []
    while (following := applied + len(accepted) + 1) in ahead:
        accepted.append(ahead.pop(following))
    if not accepted:
        return Plan(None, [], repeats, ahead, poison)
    try:
        step = step_of(state, accepted)
    except Misplaced as error:
        return Plan(None, [], repeats, {}, [*poison, str(error)])
    return Plan(step, accepted, repeats, ahead, poison)


def step_of(before: BuildState | None, arrivals: Sequence[RecordDelivery]) -> Step:
    """The step that consecutive arrivals make; raises Misplaced when the first cannot begin a build."""
    first = arrivals[0]
    state = _begin(first) if before is None else before
    complete = state.complete
    placed: list[RecordDelivery] = []
    for arrival in arrivals:
        refused = not fold.may_follow(state, arrival.record, complete)
        placed.append(arrival.refuse() if refused else arrival)
        complete = complete or isinstance(arrival.record, BuildComplete)
    chunks, growth = pack(first.record.build_id, placed, position_of(before))
    told = [arrival.record for arrival in placed if arrival.log is None and not arrival.refused]
    after = fold.fold(state, told, growth, upto=arrivals[-1].seq)
    start = first.record if before is None and isinstance(first.record, BuildStart) else None
    return Step(before, after, start, chunks)


def _begin(first: RecordDelivery) -> BuildState:
    record = first.record
    start_time = start_time_of(record.data, first.receipt) if isinstance(record, BuildStart) else StartTime()
    return fold.begin(record, first.agent, start_time)


def other_bytes(arrival: RecordDelivery) -> str:
    """The reason for quarantining a record whose seq is stored with other bytes: the first is kept."""
    return f"record {arrival.seq} of build {arrival.record.build_id} came again with other bytes; the first is kept"


def _owner(
    state: BuildState | None, waiting: Mapping[int, RecordDelivery], arrivals: Sequence[RecordDelivery]
) -> str | None:
    """The agent that started the build; None while its first record is missing."""
    if state is not None:
        return state.build.agent
    firsts = (arrival.agent for arrival in (*waiting.values(), *arrivals) if arrival.seq == 1)
    return next(firsts, None)
