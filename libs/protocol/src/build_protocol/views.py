"""What people are shown of a build: the row of `/api/builds`, pushed live as it changes, and a page of its log."""

from typing import Literal

from pydantic import Field

from build_protocol.clocks import StartTime
from build_protocol.messages import (
    BuildEnd,
    BuildStatus,
    ConfigurationChange,
    Gap,
    Host,
    MissingFact,
    Outcome,
    Phase,
    Pin,
    Section,
    SourceFacts,
    StepTime,
    StepTimes,
    Stream,
    Submodule,
    TestResult,
)
from build_protocol.model import BuildId, Count, EpochMs, ProjectName, WireModel


class Build(BuildEnd, SourceFacts):
    """A build as of its record `as_of_seq`; `revision` grows with every change, the greater one is newer."""

    id: BuildId
    project: ProjectName
    status: BuildStatus
    dirty: bool | None = Field(None, description="Its tree held changes that no commit has.")
    agent: str | None = None
    host: Host | None = None
    command: list[str] = Field(default_factory=list)
    progress: float | None = Field(None, description="Percent.")
    phase: Phase | None = None
    step: str | None = None
    remaining_ms: Count | None = Field(None, description="Expected, as of `updated_at`; absent when it is not known.")
    reason: str | None = None
    log_bytes: Count = 0
    last_line: str | None = Field(None, description="The newest log line, cut to 200 characters.")
    as_of_seq: Count = 0
    revision: Count = 0
    verified: bool = Field(False, description="Line count, bytes and sha256 agree with what the agent sent.")
    connected: bool = Field(True, description="False: the agent of this running build is silent (a badge).")
    failure_count: Count = 0
    failing: bool = Field(False, description="It runs and cannot end green any more: a step of it certainly failed.")
    gaps: list[Gap] = Field(default_factory=list)
    updated_at: EpochMs | None = None


class PhaseSpan(WireModel):
    """One phase of a build: when it began, and its line."""

    phase: Phase
    started_at: EpochMs
    ended_at: EpochMs | None = None
    first_line: Count | None = None


class BuildDetail(Build, StartTime):
    """A build with everything its own page shows beside the log."""

    cwd: str | None = None
    repository: str | None = None
    submodules: list[Submodule] = Field(default_factory=list)
    pins: list[Pin] = Field(default_factory=list)
    tools: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    agent_version: str | None = None
    phases: list[PhaseSpan] = Field(default_factory=list)
    sections: list[Section] = Field(default_factory=list, description="As its source names them, in order of the log.")
    step_times: StepTimes | None = None
    compile_hotspots: list[StepTime] = Field(default_factory=list)
    configuration_changes: list[ConfigurationChange] = Field(default_factory=list)
    missing_facts: list[MissingFact] = Field(default_factory=list, description="What could not be found out, and why.")


class StoredBuild(WireModel):
    """How much of a build is stored, and whose it is: what ingest answers the other services."""

    stored: Count
    verified: bool = False
    agent: str | None = None
    project: str
    status: str | None = None
    complete: bool = False
    log_lines: Count = 0
    log_bytes: Count = 0


class BuildList(WireModel):
    """A page of builds, newest start first; `next_cursor` asks for the following page."""

    items: list[Build]
    next_cursor: str | None = None


class TestPage(WireModel):
    """Test results of a build: those of structured reports, then those that only its log has.

    `counts` are of the whole build, by outcome; `next_cursor` asks for the following page.
    """

    __test__ = False  # pytest collects classes named Test*

    items: list[TestResult]
    counts: dict[Outcome, Count] = Field(default_factory=dict)
    total_seconds: float | None = None
    next_cursor: str | None = None


class LogPage(WireModel):
    """Log lines `first`, `first+1`, ... as stored; `total` lines exist as of record `as_of_seq`."""

    first: Count
    lines: list[str]
    total: Count
    as_of_seq: Count
    streams: list[Stream] = Field(default_factory=list, description="One per line.")
    times_ms: list[EpochMs] = Field(default_factory=list, description="One per line.")


class LogHit(WireModel):
    """A line that matches a search."""

    line: Count
    text: str


class LogSearch(WireModel):
    """Answer of `logs?q=`: the hits of this page, and how many there are in all."""

    q: str
    hits: list[LogHit]
    total_hits: Count
    total_is_exact: bool = True
    next_first: Count | None = Field(None, description="Ask again with `first` = this for more.")
    total: Count
    as_of_seq: Count


class NewLine(WireModel):
    """A line that no green build of its configuration printed, and how many of its log are like it."""

    line: Count = Field(description="The first of them.")
    text: str
    count: Count = Field(description="Lines like it, itself included: alike but for times and numbers.")


class LogNews(WireModel):
    """What a log has that the last green logs of its configuration did not, each kind of line by its first."""

    items: list[NewLine]
    compared_to: list[BuildId] = Field(
        default_factory=list, description="Green builds before this one; none: none is known, so nothing is new."
    )
    total_items: Count = Field(0, description="Kinds of new lines in all.")
    is_whole: bool = Field(
        True, description="False: the log, or the green ones, are too long to be compared to their end."
    )
    lines: Count = Field(0, description="Lines that were compared.")
    total: Count
    as_of_seq: Count


class BuildHits(WireModel):
    """A build that was searched, with its first hits."""

    type: Literal["build"] = "build"
    build: Build
    hits: list[LogHit]
    total_hits: Count
    total_is_exact: bool = True


SearchEnd = Literal["done", "builds", "bytes", "time", "unavailable"]


class LogsSearched(WireModel):
    """The last line of a search over many logs: how far it came."""

    type: Literal["end"] = "end"
    end: SearchEnd = Field(
        description="`done`: every build was searched; else what it stopped at: so many `builds`, `bytes` or so much"
        " `time`; `unavailable`: a store did not answer."
    )
    builds: Count = Field(description="Searched.")
    log_bytes: Count = Field(description="Of their logs.")
    next_cursor: str | None = Field(None, description="Ask again with `cursor` = this for earlier builds.")


ErrorCode = Literal[
    "malformed",
    "unauthenticated",
    "forbidden",
    "not_found",
    "not_allowed",
    "timeout",
    "conflict",
    "gone",
    "too_large",
    "range",
    "invalid",
    "rate_limited",
    "internal",
    "unavailable",
]
"""What kind of error an answer is, for programs: one for each status that services answer."""


class Problem(WireModel):
    """An error answer (RFC 9457 problem details with two members of ours): what was wrong, where, and what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: ErrorCode = Field(description="The kind of error, for programs.")
    detail: str = Field(description="What was wrong, as a sentence.")
    remedy: str = Field(description="What to do about it, as a sentence.")
    instance: str | None = Field(None, description="The path that was asked.")


Colour = Literal["green", "red", "none"]
