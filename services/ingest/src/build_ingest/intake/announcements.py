"""Announcements: what is published on `builds.live` once it is stored. Pure; a lost one is made up for by the heads.

`LogAppended.after_seq` is the seq of the build's previous log record, so that consecutive announcements of one
build join without a hole although progress records lie between them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from build_protocol.frames import BuildChanged, LogAppended, Stored
from build_protocol.messages import BuildLog, Stream
from build_protocol.topology import live_key

from build_ingest.records.delivery import RecordDelivery
from build_ingest.records.fold import BuildState
from build_ingest.records.plan import Step

PIECE_BYTES = 64 * 1024
"""Log text announced in one message, about: a slow viewer's queue is bounded in messages."""

ROW_SECONDS = 0.2
"""A row whose only news is more log lines is announced this often at most; everything else at once."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One message for `builds.live`."""

    routing_key: str
    body: bytes


def log_announcements(step: Step, accepted: Sequence[RecordDelivery]) -> Iterator[Announced]:
    """The log text of a committed step, in order, in pieces."""
    build = step.after.build
    after_seq = step.before.log_seq if step.before else 0
    lines = step.before.build.log_lines if step.before else 0
    key = live_key("log", build.project, build.id)
    for group in _pieces(accepted):
        goes_on = bool(group[0].data.continues) and lines > 0
        appended = _appended(group, after_seq, lines if goes_on else lines + 1, goes_on)
        yield Announced(key, appended.to_json().encode())
        after_seq = group[-1].seq
        lines += len(appended.lines) - goes_on


def row_announcement(state: BuildState, events: Sequence[str]) -> Announced:
    """The build's row after a change."""
    changed = BuildChanged(events=list(events), build=state.build)
    return Announced(live_key("build", state.build.project, state.build.id), changed.to_json().encode())


def stored_announcement(state: BuildState, resend_from: int | None = None) -> Announced:
    """The head of a build: what its agent may forget, or must send again."""
    build = state.build
    stored = Stored(
        build_id=build.id,
        project=build.project,
        agent=build.agent or "",
        upto=build.as_of_seq,
        resend_from=resend_from,
        verified=state.verified,
    )
    return Announced(live_key("stored", build.project, build.id), stored.to_json().encode())


class RowPace:
    """Holds back rows that only grew, so that a chatty build costs each viewer a few rows a second."""

    def __init__(self) -> None:
        self._announced_at: dict[str, float] = {}
        self._held: dict[str, BuildState] = {}

    def offer(self, state: BuildState, events: Sequence[str], now: float) -> Announced | None:
        """The row to announce now, or None: then it is held until `due`."""
        build_id = state.build.id
        only_grew = all(event == "BUILD_LOG" for event in events)
        if only_grew and now - self._announced_at.get(build_id, -ROW_SECONDS) < ROW_SECONDS:
            self._held[build_id] = state
            return None
        self._held.pop(build_id, None)
        self._announced_at[build_id] = now
        return row_announcement(state, events)

    @property
    def is_holding(self) -> bool:
        """Whether rows wait."""
        return bool(self._held)

    def due(self, now: float) -> list[Announced]:
        """The newest row of every build held long enough; forgets builds that are quiet."""
        quiet = [build_id for build_id, at in self._announced_at.items() if now - at >= ROW_SECONDS]
        rows = [
            row_announcement(self._held.pop(build_id), ["BUILD_LOG"]) for build_id in quiet if build_id in self._held
        ]
        for build_id in quiet:
            del self._announced_at[build_id]
        return rows


def _pieces(accepted: Sequence[RecordDelivery]) -> Iterator[list[BuildLog]]:
    group: list[BuildLog] = []
    size = 0
    for delivery in accepted:
        log = delivery.log
        if log is None:
            continue
        # Only the first element of an announcement may go on with a line already shown.
        if group and (log.data.continues or size + len(delivery.body) > PIECE_BYTES):
            yield group
            group, size = [], 0
        group.append(log)
        size += len(delivery.body)
    if group:
        yield group


def _appended(group: Sequence[BuildLog], after_seq: int, first_line: int, goes_on: bool) -> LogAppended:
    lines: list[str] = []
    times: list[int] = []
    streams: list[Stream] = []
    for log in group:
        data = log.data
        count = len(data.lines)
        sent = data.times_ms[:count]
        lines += data.lines
        times += sent + [sent[-1] if sent else log.timestamp] * (count - len(sent))
        streams += [data.stream] * count
    if len({log.data.stream for log in group}) == 1:
        streams = streams[:1]
    # The parts were validated as they came in: checking 200,000 lines again would cost as much as storing them.
    return LogAppended.model_construct(
        build_id=group[0].build_id,
        project=group[0].project,
        after_seq=after_seq,
        seq=group[-1].seq,
        first_line=first_line,
        lines=lines,
        streams=streams,
        times_ms=times,
        continues=goes_on or None,
    )
