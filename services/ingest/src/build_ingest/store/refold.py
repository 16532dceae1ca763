"""Refolding: a build's state out of its stored chunks alone, as its records folded it when they came. Pure."""

from collections.abc import Sequence

from build_protocol.clocks import StartTime
from build_protocol.messages import BuildComplete, BuildStart, agent_record

from build_ingest.records import fold
from build_ingest.records.chunk import Chunk, events_of, index_of, text_of
from build_ingest.records.fold import BuildState, LogGrowth


def refold(
    state: BuildState | None, chunks: Sequence[Chunk], agent: str, start_time: StartTime
) -> tuple[BuildState, BuildStart | None]:
    """The state after chunks that follow it, and the build's first record if it is among them."""
    start: BuildStart | None = None
    for chunk in chunks:
        records = [agent_record.validate_python(event) for event in events_of(chunk)]
        if state is None:
            start = records[0]
            state = fold.begin(records[0], agent, start_time)
        effective = []
        complete = state.complete
        for record in records:
            if fold.may_follow(state, record, complete):
                effective.append(record)
                complete = complete or isinstance(record, BuildComplete)
        state = fold.fold(state, effective, _growth(chunk), upto=chunk.last_seq)
    if state is None:
        raise ValueError("no chunks to fold")
    return state, start


def _growth(chunk: Chunk) -> LogGrowth | None:
    if not chunk.has_text:
        return None
    index = index_of(chunk)
    events = set(index.events)
    last_seq = next(seq for seq in range(chunk.last_seq, chunk.first_seq - 1, -1) if seq not in events)
    last_line = text_of(chunk).rpartition(b"\n")[2].decode()
    return LogGrowth(chunk.last_line, chunk.end_byte, last_line, last_seq, index.times[-1])
