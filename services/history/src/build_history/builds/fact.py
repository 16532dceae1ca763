"""Facts: what is known of one build, merged from BUILD_START and BUILD_VERDICT in whatever order they arrive.

A verdict's fields win over the start's, a later revision over an earlier one; a repeated message changes nothing.
"""

from typing import Any, NamedTuple

from build_analysis.verdict import COMING_AND_GOING
from build_protocol.clock import DAY_MS
from build_protocol.clocks import StartTime
from build_protocol.messages import (
    BuildFacts,
    BuildFailing,
    BuildMetrics,
    BuildStart,
    BuildStatus,
    BuildVerdict,
    Commit,
    FailureData,
    Fault,
    Pin,
    PinAt,
    StepTime,
    TrendMetrics,
)
from build_protocol.model import BuildId, Count, EpochMs, ProjectName, WireModel
from pydantic import Field

from build_history.builds.colour import Colour, colour_of
from build_history.builds.override import Override, fault_after

SIGNATURES_PER_POINT = 16
CONTAINED_PER_POINT = 100
SHORT_SHA = 12
STEPS_KEPT = 10
FAILURES_OF_VERDICT = 50
"""A verdict with so many failures may have been cut: there may be others."""

TEST_CATEGORIES = COMING_AND_GOING - {"missing_header"}
"""What a test may fail by: its own words, a crash, a timeout."""

UNCLASSIFIED = "unclassified"
"""Stands for the signature of a failure that analysis could not name: unknown, never harmless."""


UNSTAMPED = StartTime()


class Lane(NamedTuple):
    """What is built how, where: the builds of one (project, branch, config) follow each other in a lane.

    A build without a branch has branch `""`.
    """

    project: str
    branch: str
    config: str


class PointMetrics(TrendMetrics):
    """The numbers of a build that trends are made of, and what they come to."""

    @property
    def tests(self) -> int | None:
        """Tests that passed or failed; None where nobody counted any."""
        counted = [count for count in (self.tests_passed, self.tests_failed) if count is not None]
        return sum(counted) if counted else None

    @property
    def cache_hit_percent(self) -> int | None:
        """Of all look-ups in the compiler cache; None where there were none."""
        hits, misses = self.cache_hits or 0, self.cache_misses or 0
        return round(100 * hits / (hits + misses)) if hits + misses else None


class Point(WireModel):
    """A fact in brief: all that lanes, days, incidents and pins need, so that thousands are read at once."""

    id: BuildId
    project: ProjectName
    branch: str = ""
    config: str = "default"
    commit: str | None = None
    status: BuildStatus
    colour: Colour
    fault: Fault | None = None
    started_at: EpochMs = Field(description="By the server's clock; at the latest, where that is all that is known.")
    started_earliest_at: EpochMs | None = Field(None, description="Absent where the start is known exactly.")
    ended_at: EpochMs | None = None
    duration_ms: Count | None = None
    queue_ms: Count | None = None
    signatures: tuple[str, ...] = Field((), description="Of its failures, the first failure's first.")
    failed_tests: tuple[str, ...] = Field(
        (),
        description="For each signature the test that failed, empty where it is no test's; none at all unless every "
        "failure of the build is known.",
    )
    failing: tuple[str, ...] = Field((), description="Signatures of a running build that cannot end green any more.")
    failing_at: EpochMs | None = Field(None, description="When that was seen.")
    backfill: bool = Field(False, description="Long over when it was sent: nobody is notified of it.")
    contains: tuple[str, ...] = Field((), description="Older commits that its commit descends from, as far as known.")
    place: tuple[int, int] | None = Field(None, description="Its place in its lane where its start is not; not kept.")
    pins: tuple[PinAt, ...] = ()
    metrics: PointMetrics | None = None

    @property
    def lane(self) -> Lane:
        """The lane it stands in."""
        return Lane(self.project, self.branch, self.config)

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Its place among the builds of a lane: by ancestry where `effective` knew it, by start, then by id."""
        return (*(self.place or (self.started_at, 0)), self.started_at, self.id)

    @property
    def is_red(self) -> bool:
        """Whether it is red, or runs and will be."""
        return self.colour == "red" or bool(self.failing)

    @property
    def known_at(self) -> int:
        """When it showed what it shows: at its end, or when it was seen to fail; its start where neither is known."""
        return self.failing_at or self.ended_at or self.started_at

    @property
    def day(self) -> int:
        """Days since the Unix epoch, UTC, of its start."""
        return self.started_at // DAY_MS


class Fact(BuildFacts):
    """Everything history keeps of one build; `revision` 0 means that no verdict arrived yet."""

    id: BuildId
    project: ProjectName
    agent: str | None = None
    retry_of: BuildId | None = None
    pins: list[Pin] = Field(default_factory=list)
    commits: list[Commit] | None = Field(None, description="Since the last green; absent = unknown, not empty.")
    status: BuildStatus = "running"
    revision: Count = 0
    failing_at: EpochMs | None = Field(None, description="When a build that still runs was seen to fail.")
    is_start_known: bool = False
    provisional: bool = False
    queued_at: EpochMs | None = None
    received_at: EpochMs | None = Field(None, description="By the gateway; absent where none stamped it.")
    started_at: EpochMs = Field(description="By the server's clock; at the latest, where that is all that is known.")
    started_earliest_at: EpochMs | None = Field(None, description="Absent where the start is known exactly.")
    ended_at: EpochMs | None = None
    duration_ms: Count | None = None
    exit_code: int | None = None
    error: str | None = None
    log_lines: Count = 0
    failures: list[FailureData] = Field(default_factory=list)
    source_fault: Fault | None = Field(None, description="Whose fault the end is by its source; above the rules'.")
    metrics: BuildMetrics | None = None
    imported: Count = Field(0, description="The revision whose tests and steps were read from ingest.")
    slowest: list[StepTime] = Field(default_factory=list, description="Its slowest steps, the slowest first.")
    critical_path_ms: Count | None = None
    overrides: dict[str, Override] = Field(default_factory=dict, description="A person's verdict, by signature.")

    @property
    def lane(self) -> Lane:
        """The lane it stands in."""
        return Lane(self.project, self.branch or "", self.config)

    @property
    def kept_from(self) -> int:
        """From when on the days count for which it is kept."""
        return self.started_at if self.received_at is None else self.received_at

    @property
    def is_due(self) -> bool:
        """Whether the tests and steps of its newest revision are still to be read from ingest."""
        return self.imported < self.revision and self.status in ("succeeded", "failed", "timed_out")

    @property
    def fault(self) -> Fault | None:
        """Whose fault its first failure is, as far as known; one that a person called infra counts last."""
        return self._counted[0][1]

    @property
    def signatures(self) -> tuple[str, ...]:
        """Signatures of its failures without repeats, the first failure's first; empty unless it failed."""
        return self._shown if self.status == "failed" else ()

    @property
    def failing(self) -> tuple[str, ...]:
        """Signatures of a build that still runs and cannot end green any more; empty where that is the machine's."""
        is_certain = self.failing_at is not None and self.revision == 0 and self.origin == "ci"
        return self._shown if is_certain and self.fault != "infra" else ()

    @property
    def contains(self) -> tuple[str, ...]:
        """The commits of its range but its own, and the parents of those: its commit descends from each."""
        known = dict.fromkeys(sha for commit in self.commits or () for sha in (commit.sha, *commit.parents))
        return tuple(sha[-SHORT_SHA:] for sha in known if sha != self.commit)[:CONTAINED_PER_POINT]

    @property
    def failed_tests(self) -> tuple[str, ...]:
        """For each signature of a failed or failing build the test it is of; none unless every failure is known."""
        signatures = self.signatures or self.failing
        named: dict[str, set[str]] = {signature: set() for signature in signatures}
        for failure in self.failures:
            if failure.signature in named:
                is_test = failure.category in TEST_CATEGORIES and failure.target is not None
                named[failure.signature].add(failure.target or "" if is_test else "")
        is_all = len(signatures) < SIGNATURES_PER_POINT and len(self.failures) < FAILURES_OF_VERDICT
        if not is_all or not all(named.values()):
            return ()
        return tuple(tests.pop() if len(tests) == 1 else "" for tests in named.values())

    @property
    def _shown(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(signature for signature, _ in self._counted))[:SIGNATURES_PER_POINT]

    @property
    def _counted(self) -> list[tuple[str, Fault | None]]:
        """Signature and fault of each failure, at least one; without those a person called infra while others stand."""
        by_source = self.source_fault
        reported: list[tuple[str, Fault | None]] = [
            (f.signature or UNCLASSIFIED, by_source or f.fault) for f in self.failures
        ]
        counted = [
            (signature, fault_after(fault, self.overrides.get(signature)))
            for signature, fault in reported or [(UNCLASSIFIED, by_source)]
        ]
        called = {signature for signature, override in self.overrides.items() if override.verdict == "infra"}
        return [(signature, fault) for signature, fault in counted if signature not in called] or counted

    @property
    def point(self) -> Point:
        """The fact in brief."""
        queue_ms = None if self.queued_at is None else max(0, self.started_at - self.queued_at)
        known = self.metrics.model_dump(include=set(PointMetrics.model_fields)) if self.metrics else None
        return Point(
            branch=self.branch or "",
            colour=colour_of(self.status, self.origin, self.fault),
            fault=self.fault,
            queue_ms=queue_ms,
            signatures=self.signatures,
            failed_tests=self.failed_tests,
            failing=self.failing,
            failing_at=self.failing_at if self.failing else None,
            contains=self.contains,
            pins=tuple(PinAt(name=p.name, commit=p.commit, committed_at=p.committed_at) for p in self.pins),
            metrics=PointMetrics(**known) if known else None,
            **{name: getattr(self, name) for name in _IN_BRIEF},
        )


_IN_BRIEF = (Point.model_fields.keys() & Fact.model_fields.keys()) - {"branch", "failing_at", "metrics", "pins"}
"""What a point has just as the fact has it."""


def with_start(fact: Fact | None, message: BuildStart, start_time: StartTime = UNSTAMPED) -> Fact:
    """The fact once the build's BUILD_START is known; what a verdict already reported stays."""
    if fact is not None and fact.is_start_known:
        return fact
    data = message.data
    began_at = start_time.server_started_at
    started_at = message.timestamp if began_at is None else began_at
    fields: dict[str, Any] = {
        **{name: getattr(data, name) for name in (*_JUDGED, "retry_of")},
        "queued_at": started_at if data.status == "queued" else None,
        "is_start_known": True,
    }
    if fact is None:
        return Fact(
            id=message.build_id,
            project=message.project,
            status=data.status,
            received_at=start_time.received_at,
            started_at=started_at,
            started_earliest_at=_earliest(began_at, start_time.server_started_earliest_at),
            **fields,
        )
    judged = {name for name in _JUDGED if getattr(fact, name) not in (None, [])}
    return fact.model_copy(update={name: value for name, value in fields.items() if name not in judged})


def with_failing(fact: Fact | None, message: BuildFailing) -> Fact:
    """The fact once its build is known to fail; after a verdict, and repeated, it changes nothing.

    The build still runs: its status waits for the verdict.
    """
    if fact is not None and (fact.revision or fact.failing_at is not None):
        return fact
    status: BuildStatus = fact.status if fact is not None else "running"
    return _judged(fact, message, {"status": status, "failing_at": message.timestamp})


def with_verdict(fact: Fact | None, message: BuildVerdict) -> Fact:
    """The fact once this revision of the verdict is known; an older or repeated revision changes nothing."""
    data = message.data
    if fact is not None and data.revision <= fact.revision:
        return fact
    return _judged(fact, message, {"status": data.status, "revision": data.revision, "failing_at": None})


def _judged(fact: Fact | None, message: BuildVerdict | BuildFailing, judgement: dict[str, Any]) -> Fact:
    data = message.data
    failures = data.failures or ([data.first_failure] if data.first_failure else [])
    fields: dict[str, Any] = {
        **judgement,
        "provisional": data.provisional,
        "ended_at": data.over_at,
        "duration_ms": data.duration_ms,
        "exit_code": data.exit_code,
        "error": data.error,
        "log_lines": data.log_lines,
        "failures": _first_in_front(failures, data.first_failure),
        "source_fault": data.fault,
        "metrics": data.metrics,
    }
    for name in (*_JUDGED, "agent"):
        value = getattr(data, name)
        if name in data.model_fields_set and value not in (None, []):
            fields[name] = value
    if data.received_at is not None:
        fields["received_at"] = data.received_at
    if data.began_at is not None:
        fields["started_at"] = data.began_at
        fields["started_earliest_at"] = _earliest(data.server_started_at, data.server_started_earliest_at)
    if fact is not None:
        return fact.model_copy(update=fields)
    fields.setdefault("started_at", message.timestamp)
    return Fact(id=message.build_id, project=message.project, **fields)


_JUDGED = (*BuildFacts.model_fields, "pins", "commits")
"""What a verdict has too: once it came, a late BUILD_START no longer changes it."""


def _earliest(server_started_at: int | None, earliest_at: int | None) -> int | None:
    if server_started_at is None or server_started_at == earliest_at:
        return None
    return earliest_at or 0


def _first_in_front(failures: list[FailureData], first: FailureData | None) -> list[FailureData]:
    if first is None or not failures or failures[0] == first:
        return failures
    return [first, *(failure for failure in failures if failure != first)]
