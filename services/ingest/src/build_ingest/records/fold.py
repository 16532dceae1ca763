"""The fold: a build's state, and the next state after records in order. Pure; an old record never reaches it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from build_protocol.clocks import ServerStart, StartTime
from build_protocol.messages import (
    AgentRecord,
    ArtifactUploaded,
    BuildComplete,
    BuildMetrics,
    BuildStart,
    BuildStartData,
    BuildStatus,
    BuildUpdate,
    CommitFacts,
    ConfigurationChange,
    FailureData,
    Gap,
    LateFacts,
    LogTotals,
    MissingFact,
    Phase,
    Section,
    StepTime,
    StepTimes,
)
from build_protocol.model import Count, WireModel
from build_protocol.views import Build, PhaseSpan
from pydantic import Field

from build_ingest.records.archive_label import Archive

GAPS_SHOWN = 100
PHASES_SHOWN = 64
SECTIONS_KEPT = 256
MISSING_FACTS_KEPT = 32
PLAUSIBLE_SKEW_MS = 10 * 60_000
"""Agents' clocks are wrong by less, as a rule."""

METRICS_KEPT = 64
COMMAND_SHOWN_CHARACTERS = 2000
"""The row of a list carries the command up to here; the build's own page has all of it."""

Verification = Literal["open", "due", "agrees", "differs"]

LATE_IN_ROW = (*CommitFacts.model_fields, "dirty")
BESIDE_ROW = ("step_times", "compile_hotspots", "configuration_changes")
"""What the build's own page shows beside its row; a later record replaces an earlier one's."""

LATE_BESIDE_ROW = ("repository", "submodules", "pins", "commits", "tools")


class Cut(WireModel):
    """Where a log reached its quota: records after this one keep their lines' numbers, and no text."""

    after_seq: Count
    gap: Gap


class BuildState(WireModel):
    """All that is folded of a build: the row people see, and what only ingest needs."""

    build: Build
    start_time: StartTime = StartTime()
    phases: list[PhaseSpan] = Field(default_factory=list)
    sections: list[Section] = Field(default_factory=list)
    late: LateFacts = LateFacts()
    step_times: StepTimes | None = None
    compile_hotspots: list[StepTime] = Field(default_factory=list)
    configuration_changes: list[ConfigurationChange] = Field(default_factory=list)
    missing_facts: list[MissingFact] = Field(default_factory=list)
    totals: LogTotals | None = None
    complete: bool = False
    will_fail: bool = False
    """A step of it certainly failed: while it runs, its row says that it is failing."""
    log_seq: Count = 0
    """The newest record that carried log text."""
    tests_seq: Count = 0
    """The newest record that carried test results."""
    verification: Verification = "open"
    verdict_revision: Count = 0
    verdict_due: bool = False
    """The outbox: a verdict of `verdict_revision` is decided and not yet published."""
    cut: Cut | None = None
    placed_anew: list[str] = Field(default_factory=list)
    """The spans of a wrong clock by which it was moved already."""
    archive: Archive = Archive()
    rules: str = ""
    """Fingerprint of the rules by which the whole log was read last; empty: not yet."""
    analysed_revision: Count = 0
    """The verdict for which the whole log was analysed."""

    @property
    def applied(self) -> int:
        """Everything up to this seq is folded in."""
        return self.build.as_of_seq

    @property
    def revision(self) -> int:
        """Grows with every change of the state."""
        return self.build.revision

    @property
    def is_open(self) -> bool:
        """Whether anybody still has to look after the build."""
        return self.build.status in ("queued", "running") or self.verdict_due or self.verification == "due"

    @property
    def is_analysed(self) -> bool:
        """Whether the build ended, and all of its log was analysed."""
        return 0 < self.verdict_revision == self.analysed_revision

    @property
    def verified(self) -> bool | None:
        """True: all agrees; False: the store differs from what the agent sent; None: not known yet."""
        return {"agrees": True, "differs": False}.get(self.verification)


_GOES_ON: dict[str, Any] = {
    "status": "running",
    "provisional": False,
    "ended_at": None,
    "server_ended_at": None,
    "duration_ms": None,
    "reason": None,
}


@dataclass(frozen=True, slots=True)
class LogGrowth:
    """What consecutive records added to a build's log."""

    lines: int
    """Lines there are afterwards."""
    text_bytes: int
    """UTF-8 bytes of all lines joined by a newline, afterwards."""
    last_line: str
    """Of a line in pieces, what the newest chunk has of it."""
    last_seq: int
    printed_at: int
    """When the last line was printed, as its agent says."""


class Misplaced(ValueError):
    """A record that can never take this place in its build, e.g. a first record that is not BUILD_START."""


_AS_REPORTED = (Build.model_fields.keys() & BuildStartData.model_fields.keys()) - {"command"}
"""What a build's row has just as BUILD_START reports it."""


def begin(record: AgentRecord, agent: str, start_time: StartTime) -> BuildState:
    """The state of a build before its first record is applied; raises Misplaced unless that is BUILD_START."""
    if not isinstance(record, BuildStart) or record.seq != 1:
        raise Misplaced(f"build {record.build_id} has no BUILD_START as its record 1, but {record.type}")
    data = record.data
    return BuildState(
        build=Build(
            id=record.build_id,
            project=record.project,
            agent=agent,
            command=_shown(data.command),
            started_at=record.timestamp,
            **{name: getattr(start_time, name) for name in ServerStart.model_fields},
            **{name: getattr(data, name) for name in _AS_REPORTED},
        ),
        start_time=start_time,
    )


def fold(
    state: BuildState,
    records: Iterable[AgentRecord],
    log: LogGrowth | None,
    upto: int,
    *,
    end_received_at: int | None = None,
) -> BuildState:
    """The state after `records` (in order, log records left out) and `log`, all up to seq `upto`.

    The revision grows by one, however many records there are. `end_received_at`: the gateway's time of receipt of a
    BUILD_COMPLETE among the records, where that is known.
    """
    build = state.build
    row: dict[str, Any] = {"as_of_seq": upto, "revision": build.revision + 1, "connected": True}
    if build.status == "lost" or (log is not None and build.status == "queued"):
        row |= {**_GOES_ON, "failing": state.will_fail}
    rest: dict[str, Any] = {}
    expected_at = build.updated_at
    for record in records:
        row["updated_at"] = record.timestamp
        if isinstance(record, BuildUpdate):
            expected_at = record.timestamp if record.data.remaining_ms is not None else expected_at
            _update(record, build, row, rest, state)
        elif isinstance(record, BuildComplete):
            _complete(record, build, row, rest, state, end_received_at)
    if log is not None:
        row |= {"log_lines": log.lines, "log_bytes": log.text_bytes, "last_line": log.last_line[:200]}
        row["updated_at"] = max(log.printed_at, row.get("updated_at") or 0)
        rest["log_seq"] = log.last_seq
    row["remaining_ms"] = _aged(row.get("remaining_ms", build.remaining_ms), expected_at, row.get("updated_at"))
    return state.model_copy(update={**rest, "build": build.model_copy(update=row)})


def facts_of(start: BuildStart, state: BuildState) -> BuildStartData:
    """What is known of a build beside its row: what BUILD_START has, and where it has nothing what was found later."""
    late = {name: value for name in LATE_BESIDE_ROW if (value := getattr(state.late, name)) is not None}
    return start.data.model_copy(update={name: value for name, value in late.items() if not getattr(start.data, name)})


def may_follow(state: BuildState, record: AgentRecord, complete: bool) -> bool:
    """Whether the build still takes this record: after BUILD_COMPLETE only artifacts, BUILD_START only once."""
    if isinstance(record, BuildStart):
        return record.seq == 1 and state.applied == 0
    return not complete or isinstance(record, ArtifactUploaded)


def lose(state: BuildState, now_ms: int) -> BuildState:
    """Judge a running build lost, provisionally: its agent has been silent for a whole lease."""
    build = state.build
    duration_ms = _span(build.began_at, now_ms)
    row = {
        "status": "lost",
        "provisional": True,
        "connected": False,
        "ended_at": _after(build.started_at, duration_ms),
        "server_ended_at": _after(build.server_started_at, duration_ms),
        "duration_ms": duration_ms,
        "remaining_ms": None,
        "failing": False,
        "reason": "agent_silent",
        "revision": build.revision + 1,
    }
    return state.model_copy(update={"build": build.model_copy(update=row), **_verdict(state)})


def mark_connected(state: BuildState, connected: bool) -> BuildState:
    """Set or clear the badge of a silent agent; a lost build whose agent reports again is running."""
    row: dict[str, Any] = {"connected": connected, "revision": state.revision + 1}
    if connected and state.build.status == "lost":
        row |= {**_GOES_ON, "failing": state.will_fail}
    return state.model_copy(update={"build": state.build.model_copy(update=row)})


def mark_verified(state: BuildState, agrees: bool) -> BuildState:
    """Keep what comparing the store with the agent's totals found; a log that agrees is to be archived."""
    row = {"verified": agrees, "revision": state.revision + 1}
    rest: dict[str, Any] = {"verification": "agrees" if agrees else "differs"}
    if agrees and state.build.log_lines and state.archive.step == "none":
        rest["archive"] = Archive(step="due")
    return state.model_copy(update={**rest, "build": state.build.model_copy(update=row)})


def mark_archive(state: BuildState, archive: Archive) -> BuildState:
    """Keep where the archive is, and what is to be done about it."""
    build = state.build.model_copy(update={"revision": state.revision + 1})
    return state.model_copy(update={"archive": archive, "build": build})


def mark_failures(
    state: BuildState,
    first: FailureData | None,
    count: int,
    *,
    is_analysed: bool,
    will_fail: bool = False,
    rules: str | None = None,
    test_counts: BuildMetrics | None = None,
) -> BuildState:
    """Keep which failure comes first, how many there are, and whether these are all of the whole log.

    `will_fail`: one of them is a step that certainly failed; once that is so, it stays so.
    `rules` are those by which all of it was read, or should have been; `test_counts` fill the build's metrics where its
    agent sent none.
    """
    row: dict[str, Any] = {"first_failure": first, "failure_count": count, "revision": state.revision + 1}
    if test_counts is not None:
        sent = state.build.metrics
        row["metrics"] = test_counts if sent is None else _merge(test_counts, sent)
    analysed = state.verdict_revision if is_analysed else state.analysed_revision
    will_fail = will_fail or state.will_fail
    row["failing"] = will_fail and state.build.status == "running" and not state.complete
    read = {
        "analysed_revision": analysed,
        "rules": state.rules if rules is None else rules,
        "will_fail": will_fail,
    }
    return state.model_copy(update={**read, "build": state.build.model_copy(update=row)})


def judge_again(state: BuildState) -> BuildState:
    """Decide the next revision of a verdict: its log was read again, and its first failure is another one."""
    return state.model_copy(update={**_verdict(state), "analysed_revision": state.verdict_revision + 1})


def was_placed_by(state: BuildState, ahead_ms: int) -> bool:
    """Whether the build was received by a clock that was so far ahead: its agent's seemed to be behind by as much."""
    skew_ms = state.start_time.clock_skew_ms
    return skew_ms is not None and abs(skew_ms + ahead_ms) <= PLAUSIBLE_SKEW_MS


def place_anew(state: BuildState, ahead_ms: int, span: str) -> BuildState | None:
    """The build where it stands by a clock that was not so far ahead; None where this span moved it already."""
    if span in state.placed_anew:
        return None
    known = state.start_time
    times: dict[str, Any] = {"received_at": _after(known.received_at, -ahead_ms)}
    if known.start_source != "source":  # else its start is by another clock
        for name in ("server_started_at", "server_started_earliest_at"):
            times[name] = _after(getattr(known, name), -ahead_ms)
    start_time = known.model_copy(update={**times, "clock_skew_ms": (known.clock_skew_ms or 0) + ahead_ms})
    ended = (
        {} if known.start_source == "source" else {"server_ended_at": _after(state.build.server_ended_at, -ahead_ms)}
    )
    build = state.build.model_copy(update={**times, **ended, "revision": state.revision + 1})
    moved = state.model_copy(
        update={"build": build, "start_time": start_time, "placed_anew": [*state.placed_anew, span]}
    )
    return judge_again(moved) if state.verdict_revision else moved


def mark_verdict_sent(state: BuildState) -> BuildState:
    """Empty the outbox: the verdict is confirmed by the broker."""
    build = state.build.model_copy(update={"revision": state.revision + 1})
    return state.model_copy(update={"verdict_due": False, "build": build})


def _aged(remaining_ms: int | None, expected_at: int | None, updated_at: int | None) -> int | None:
    """What is left as of `updated_at`; None once more time than that has passed, for nobody knows then."""
    if remaining_ms is None or expected_at is None or updated_at is None or updated_at <= expected_at:
        return remaining_ms
    return remaining_ms - (updated_at - expected_at) if remaining_ms > updated_at - expected_at else None


def _update(record: BuildUpdate, build: Build, row: dict[str, Any], rest: dict[str, Any], state: BuildState) -> None:
    data = record.data
    # A build that began to run never goes back to the queue.
    if data.status == "running" and row.get("status", build.status) == "queued":
        row["status"] = "running"
    for name in ("progress", "phase", "step", "error", "remaining_ms"):
        value = getattr(data, name)
        if value is not None:
            row[name] = value
    _learn(data, build, row, rest, state)
    rest |= {name: value for name in BESIDE_ROW if (value := getattr(data, name)) is not None}
    if data.tests:
        rest["tests_seq"] = record.seq
    if data.metrics is not None:
        row["metrics"] = _merge(row.get("metrics", build.metrics), data.metrics)
    if data.section is not None:
        rest["sections"] = _place(rest.get("sections", state.sections), data.section)
    if data.missing_facts:
        known = rest.get("missing_facts", state.missing_facts)
        rest["missing_facts"] = list(dict.fromkeys([*known, *data.missing_facts]))[:MISSING_FACTS_KEPT]
    if data.gap is not None:
        row["gaps"] = [*row.get("gaps", build.gaps), data.gap][:GAPS_SHOWN]
    if data.phase is not None:
        spans = rest.get("phases", state.phases)
        rest["phases"] = _enter(spans, data.phase, record.timestamp, row.get("log_lines", build.log_lines))


def _learn(data: LateFacts, build: Build, row: dict[str, Any], rest: dict[str, Any], state: BuildState) -> None:
    """Take in facts found after the start; in the row, what is known already stands."""
    for name in LATE_IN_ROW:
        if row.get(name, getattr(build, name)) is None:
            row[name] = getattr(data, name)
    if late := {name: value for name in LATE_BESIDE_ROW if (value := getattr(data, name)) is not None}:
        rest["late"] = rest.get("late", state.late).model_copy(update=late)


def _complete(  # noqa: PLR0917  as `_update`, and when it came
    record: BuildComplete,
    build: Build,
    row: dict[str, Any],
    rest: dict[str, Any],
    state: BuildState,
    received_at: int | None,
) -> None:
    data = record.data
    status: BuildStatus = data.status
    metrics = _merge(row.get("metrics", build.metrics), data.metrics) if data.metrics else None
    duration_ms = data.metrics.wall_ms if data.metrics else None
    if duration_ms is None:
        duration_ms = _span(build.started_at, record.timestamp)
        if duration_ms is not None and received_at is not None and state.start_time.is_exact:
            # The machine's wall clock may have leapt meanwhile.
            duration_ms = min(duration_ms, max(0, received_at - (build.server_started_at or 0)))
    server_ended_at = _after(build.server_started_at, duration_ms)
    # The record is written only when the agent has looked at what the command left.
    ended_at = _after(build.started_at, duration_ms) or record.timestamp
    row |= {
        "status": status,
        "provisional": False,
        "exit_code": data.exit_code,
        "reason": data.reason or data.signal,
        "fault": data.fault,
        "ended_at": ended_at,
        "server_ended_at": min(filter(None, (server_ended_at, received_at)), default=None),
        "duration_ms": duration_ms,
        "remaining_ms": None,
        "failing": False,
    }
    if data.error is not None:
        row["error"] = data.error
    if metrics is not None:
        row["metrics"] = metrics
    if data.progress is not None or status == "succeeded":
        row["progress"] = 100.0 if data.progress is None else data.progress
    spans = rest.get("phases", state.phases)
    if spans:
        rest["phases"] = [*spans[:-1], spans[-1].model_copy(update={"ended_at": max(spans[-1].started_at, ended_at)})]
    rest |= {"complete": True, "totals": data.totals, **_verdict(state)}
    rest["verification"] = "open" if data.totals is None else "due"


def _verdict(state: BuildState) -> dict[str, Any]:
    return {"verdict_revision": state.verdict_revision + 1, "verdict_due": True}


def _enter(spans: list[PhaseSpan], phase: Phase, at: int, lines: int) -> list[PhaseSpan]:
    if spans and spans[-1].phase == phase:
        return spans
    # Ninja alternates between building and linking: the page shows the course, not every swing.
    closed = [*spans[:-1], spans[-1].model_copy(update={"ended_at": at})] if spans else []
    return [*closed, PhaseSpan(phase=phase, started_at=at, first_line=lines + 1)][-PHASES_SHOWN:]


def _place(sections: list[Section], section: Section) -> list[Section]:
    """The sections with this one among them, in order of the log, those of one line in order of receipt.

    Line and name are a section's identity: steps that print nothing begin at the same line.
    """
    known = {(each.first_line, each.name): each for each in sections} | {(section.first_line, section.name): section}
    return sorted(known.values(), key=lambda each: each.first_line)[:SECTIONS_KEPT]


def _merge(old: BuildMetrics | None, new: BuildMetrics) -> BuildMetrics:
    if old is None:
        return new
    merged = {**old.model_dump(exclude_none=True), **new.model_dump(exclude_none=True)}
    # Agents may send numbers that we do not know: the row keeps some, not every one there ever was.
    return BuildMetrics.model_validate(dict(list(merged.items())[:METRICS_KEPT]))


def _shown(command: list[str]) -> list[str]:
    shown: list[str] = []
    room = COMMAND_SHOWN_CHARACTERS
    for word in command:
        if len(word) > room:
            return [*shown, "…"]
        shown.append(word)
        room -= len(word)
    return shown


def _after(started_at: int | None, duration_ms: int | None) -> int | None:
    return None if started_at is None or duration_ms is None else started_at + duration_ms


def _span(started_at: int | None, ended_at: int) -> int | None:
    return None if started_at is None else max(0, ended_at - started_at)
