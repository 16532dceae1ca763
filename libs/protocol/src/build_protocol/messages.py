"""Build messages: what agents and services report about a build.

Messages of an agent carry `seq` (1, 2, 3... without a gap, one sequence per build); messages of a service
carry none and are keyed by (build id, revision) or artifact id. `data` keeps unknown fields.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter, model_validator

from build_protocol.clocks import AgentClock, ClockAnchor, ServerStart
from build_protocol.model import (
    BuildId,
    Count,
    EpochMs,
    OpenWireModel,
    ProjectName,
    Sequence_,
    Sha,
    Sha256,
    ShortText,
    Text,
    WebUrl,
    WireModel,
)

BuildStatus = Literal["queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost"]
FinalStatus = Literal["succeeded", "failed", "cancelled", "timed_out", "lost"]
Origin = Literal["ci", "premerge", "local"]
Stream = Literal["out", "err", "pty"]
Phase = Literal["configure", "build", "link", "test"]
Fault = Literal["code", "config", "infra", "flaky"]
Outcome = Literal["passed", "failed", "skipped", "xfailed", "xpassed", "timed_out", "crashed", "flaky", "unresolved"]
SectionResult = Literal["succeeded", "warnings", "failed", "skipped", "cancelled", "error"]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]
LogLine = Annotated[str, StringConstraints(max_length=24 * 1024)]


class TrendMetrics(WireModel):
    """The numbers of a build that trends are made of."""

    cpu_ms: Count | None = None
    peak_rss_bytes: Count | None = None
    disk_bytes: Count | None = Field(None, description="Peak disk use of the build directory.")
    cache_hits: Count | None = None
    cache_misses: Count | None = None
    tests_passed: Count | None = None
    tests_failed: Count | None = None
    tests_skipped: Count | None = None


class BuildMetrics(TrendMetrics, OpenWireModel):
    """Numbers of a build, as far as known when sent; all optional, names carry their unit."""

    wall_ms: Count | None = None
    steps_done: Count | None = None
    steps_total: Count | None = None
    warnings: Count | None = None
    largest_process_rss_bytes: Count | None = None
    critical_path_ms: Count | None = Field(None, description="The longest chain of steps: no machine is faster.")
    secrets_redacted: Count | None = Field(None, description="Secrets that the agent replaced by `[REDACTED]`.")


class Host(OpenWireModel):
    """The machine a build runs on."""

    name: ShortText
    os: ShortText | None = None
    arch: ShortText | None = None
    cores: Count | None = None
    memory_bytes: Count | None = None


class Submodule(WireModel):
    """A submodule and the commit it is checked out at."""

    path: ShortText
    commit: Sha


class PinAt(WireModel):
    """The commit of an upstream (LLVM, torch-mlir, StableHLO...) that the tree is at."""

    name: ShortText
    commit: Sha
    committed_at: EpochMs | None = None


class Pin(PinAt):
    """A pin, and where it was found."""

    source: ShortText | None = Field(None, description="Where it was read, e.g. `externals/llvm-project`.")


class Commit(WireModel):
    """One commit of the range since the last green build."""

    sha: Sha
    parents: list[Sha] = Field(default_factory=list, max_length=16)
    author: ShortText | None = None
    author_email: ShortText | None = None
    committed_at: EpochMs | None = None
    subject: ShortText | None = None


class Gap(WireModel):
    """Output that was dropped (a cap, a full disk): shown as a row of the log, never silence."""

    after_line: Count
    bytes: Count
    lines: Count | None = Field(None, description="Absent when the dropped lines could not be counted.")
    reason: ShortText


class Section(WireModel):
    """A part of a build that its source names: a step of a foreign CI.

    A later one of the same first line and name replaces an earlier one. One that printed nothing begins where the next
    one does.
    """

    name: ShortText
    first_line: Sequence_ = Field(description="1-based line of the build's log at which it begins.")
    started_at: EpochMs | None = None
    ended_at: EpochMs | None = None
    result: SectionResult | None = Field(None, description="Absent while it runs.")
    url: WebUrl | None = Field(None, description="Its own page at the source.")
    source_first_line: Count | None = Field(None, description="The number its source gives to that line.")


class TestResult(WireModel):
    """One run of one test; `seconds` and `line` are absent where the source does not say."""

    __test__ = False  # pytest collects classes named Test*

    name: Text
    outcome: Outcome
    tool: ShortText | None = Field(None, description="The test driver, e.g. `lit`; `junit`: a report of one.")
    seconds: float | None = Field(None, ge=0)
    line: Count | None = Field(None, description="1-based line of the build's log.")


class StepTime(WireModel):
    """How long one step of the build graph (an output of ninja's log, or one that CMake timed) took."""

    output: Text
    duration_ms: Count
    previous_ms: Count | None = Field(None, description="The same step in the build before, where known.")
    target: ShortText | None = Field(None, description="CMake's target that it belongs to, by its instrumentation.")


class StepTimes(WireModel):
    """What `.ninja_log`, or CMake's instrumentation, shows of a build: its slowest steps, and their longest chain."""

    count: Count = Field(description="Steps that ran.")
    slowest: list[StepTime] = Field(default_factory=list, max_length=50)
    critical_path: list[StepTime] = Field(default_factory=list, max_length=200)


class ConfigurationChange(WireModel):
    """One CMake cache entry that differs from the last green build in this directory; null: not there."""

    name: ShortText
    before: Text | None = None
    after: Text | None = None


class MissingFact(WireModel):
    """A fact of a build that could not be found out, and what makes the next build have it."""

    name: ShortText = Field(description="As the fact is named: `commit`, `branch`, `commits`, `tools`, ...")
    reason: Annotated[str, StringConstraints(max_length=1000)]
    remedy: Annotated[str, StringConstraints(max_length=1000)]


class LogTotals(WireModel):
    """What the store must hold for `verified`: over the normalised UTF-8 lines joined by `\\n`."""

    lines: Count
    bytes: Count
    sha256: Sha256


class FailureData(OpenWireModel):
    """One failure found in a log. What cannot be known is absent, never guessed."""

    category: ShortText
    fault: Fault | None = None
    tool: ShortText | None = None
    file: Text | None = None
    line: Count | None = None
    col: Count | None = None
    project_location: ShortText | None = Field(None, description="`file:line[:col]` that led to the place named.")
    message: Text
    target: Text | None = None
    command: Text | None = None
    first_line: Count = Field(description="1-based line of the build's log.")
    last_line: Count | None = None
    signature: ShortText | None = None
    root_line: Count | None = Field(
        None,
        description="The first line of the failure that stands for all of this build with the same cause: its own, "
        "where it stands for itself; absent where nobody looked for a common cause.",
    )
    root_count: Count | None = Field(
        None, description="How many failures of the build have this cause, this one included; absent like rootLine."
    )
    why: list[ShortText] | None = Field(
        None,
        max_length=32,
        description="What spoke most for this line, where no rule knows it and it was weighed against others.",
    )


class CommitFacts(WireModel):
    """What was built; absent where it cannot be known."""

    branch: ShortText | None = None
    commit: Sha | None = None
    commit_subject: ShortText | None = None
    commit_author: ShortText | None = None
    committed_at: EpochMs | None = None


class CheckoutFacts(CommitFacts):
    """What was built, and what its checkout tells beside it."""

    dirty: bool | None = Field(None, description="Its tree held changes that no commit has.")
    repository: ShortText | None = None
    commits: list[Commit] | None = Field(None, max_length=100, description="Since the last green; absent = unknown.")


class BuildFacts(CommitFacts):
    """What was built, as which of the project's builds."""

    config: ShortText = "default"
    origin: Origin = "ci"
    backfill: bool = Field(False, description="Long over when it was sent: part of history, and nobody is notified.")


class SourceFacts(BuildFacts):
    """What was built as which of the project's builds, and how the CI it was taken from shows it."""

    untrusted: bool = Field(
        False,
        description="Made by code that nobody here reviewed, as a fork's pull request; always of origin premerge.",
    )
    source_url: WebUrl | None = Field(None, description="The build's page at the CI it was taken from.")
    tags: list[Tag] = Field(default_factory=list, max_length=32, description="As its CI groups it; free words.")
    retry_of: BuildId | None = None


class BuildStartData(SourceFacts, CheckoutFacts, OpenWireModel):
    """Facts that explain a build, as the agent found them before the command ran."""

    status: Literal["queued", "running"] = "running"
    submodules: list[Submodule] = Field(default_factory=list, max_length=64)
    pins: list[Pin] = Field(default_factory=list, max_length=32)
    command: list[Text] = Field(default_factory=list, max_length=1024)
    cwd: Text | None = None
    host: Host | None = None
    tools: dict[ShortText, ShortText] = Field(default_factory=dict, max_length=64, description="tool -> version")
    environment: dict[ShortText, Text] = Field(default_factory=dict, max_length=64)
    agent_version: ShortText | None = None
    tty: bool = False
    clock: AgentClock | None = Field(None, description="At the build's start; absent: the agent cannot tell.")
    anchor: ClockAnchor | None = Field(
        None, description="The spool's newest when the build began: it began no earlier, and in that boot exactly then."
    )

    @model_validator(mode="after")
    def _untrusted_colours_nothing(self) -> "BuildStartData":
        if self.untrusted and self.origin != "premerge":
            raise ValueError("an untrusted build is of origin premerge")
        return self


class LateFacts(CheckoutFacts, OpenWireModel):
    """Facts the agent found only after BUILD_START was recorded. What BUILD_START states stands."""

    submodules: list[Submodule] | None = Field(None, max_length=64)
    pins: list[Pin] | None = Field(None, max_length=32)
    tools: dict[ShortText, ShortText] | None = Field(None, max_length=64, description="tool -> version")


class BuildUpdateData(LateFacts):
    """Something changed while the build runs; absent fields did not."""

    status: Literal["queued", "running"] = "running"
    progress: float | None = Field(None, ge=0, le=100, description="Percent.")
    phase: Phase | None = None
    step: Text | None = Field(None, description="What is being built now, as the tool says it.")
    metrics: BuildMetrics | None = None
    remaining_ms: Count | None = Field(None, description="How long the build will still run, as the agent expects.")
    tests: list[TestResult] | None = Field(
        None, max_length=500, description="More results, of a structured source such as JUnit XML; they add up."
    )
    step_times: StepTimes | None = None
    compile_hotspots: list[StepTime] | None = Field(
        None, max_length=50, description="What the compilers spent time on (-ftime-trace), greatest first."
    )
    configuration_changes: list[ConfigurationChange] | None = Field(None, max_length=200)
    missing_facts: list[MissingFact] | None = Field(
        None, max_length=32, description="What could not be found out; they add up, the same one stands once."
    )
    section: Section | None = None
    gap: Gap | None = None
    error: Text | None = None


class BuildLogData(OpenWireModel):
    """Consecutive log lines of one stream, numbered from 1 over the whole build.

    With `continues`, the first element goes on with line `first_line`, whose beginning an earlier record carried.
    """

    first_line: Sequence_
    lines: list[LogLine] = Field(min_length=1, max_length=24 * 1024)
    stream: Stream = "out"
    times_ms: list[EpochMs] = Field(
        default_factory=list, description="When each line was printed; shorter than `lines`: the last one holds on."
    )
    continues: bool | None = None


class BuildCompleteData(OpenWireModel):
    """The agent's last record of a build."""

    status: Literal["succeeded", "failed", "cancelled", "timed_out"]
    exit_code: int | None = Field(None, ge=-1024, le=2**32)
    signal: ShortText | None = None
    reason: ShortText | None = Field(
        None, description="Typed stop reason, e.g. `cancelled_by_user`, `silence_timeout`."
    )
    progress: float | None = Field(None, ge=0, le=100)
    metrics: BuildMetrics | None = None
    error: Text | None = None
    fault: Fault | None = Field(
        None, description="Whose fault its source says the end is; absent: the log's first failure decides."
    )
    totals: LogTotals | None = None


class ArtifactData(OpenWireModel):
    """An artifact's bytes, as whoever put them into the store counted them."""

    artifact_id: ShortText
    name: ShortText
    size_bytes: Count
    sha256: Sha256
    content_type: ShortText | None = None


class ArtifactUploadedData(ArtifactData):
    """The agent put an artifact's bytes into the store."""

    status: Literal["uploaded"] = "uploaded"


class BuildTimes(ServerStart):
    """When a build ran: by the server's clock, and for display by its agent's."""

    server_ended_at: EpochMs | None = Field(
        None, description="The server's time of the end: the start and `duration_ms`, never after its receipt."
    )
    started_at: EpochMs | None = Field(None, description="By the agent's clock: for display.")
    ended_at: EpochMs | None = Field(None, description="By the agent's clock: for display.")
    duration_ms: Count | None = None

    @property
    def began_at(self) -> int | None:
        """When the build began, for all that orders builds: the server's time; the agent's only without a gateway."""
        return self.started_at if self.server_started_at is None else self.server_started_at

    @property
    def over_at(self) -> int | None:
        """When the build ended, by the clock of `began_at`."""
        return self.ended_at if self.server_started_at is None else self.server_ended_at


class BuildEnd(BuildTimes):
    """When a build ran, and how it ended."""

    exit_code: int | None = None
    error: Text | None = None
    provisional: bool = Field(False, description="`lost` that a late finish may still override.")
    fault: Fault | None = Field(
        None, description="Whose fault its source says the end is; absent: the first failure's holds."
    )
    log_lines: Count = 0
    metrics: BuildMetrics | None = None
    first_failure: FailureData | None = None


class BuildVerdictData(BuildEnd, BuildFacts, OpenWireModel):
    """What ingest judged when a build ended or its lease ran out; a later revision replaces an earlier one.

    Revision 0 is that of BUILD_FAILING: the build still runs, and its verdict will replace this.
    """

    status: FinalStatus
    revision: Count
    agent: ShortText | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=32)
    failures: list[FailureData] = Field(default_factory=list, max_length=50)
    pins: list[Pin] = Field(default_factory=list, max_length=32)
    commits: list[Commit] | None = None


class ArtifactReadyData(ArtifactData):
    """The artifacts service verified size and checksum."""

    status: Literal["ready"] = "ready"


class HeartbeatData(OpenWireModel):
    """A sign of life of a running build; unsequenced, renews its lease."""

    status: Literal["running"] = "running"


class Message(WireModel):
    """What every build message has."""

    build_id: BuildId
    project: ProjectName
    timestamp: EpochMs = Field(description="The sender's clock: for display only.")


class Record(Message):
    """A message of the agent's own sequence."""

    seq: Sequence_


class BuildStart(Record):
    """The build exists; its first record."""

    type: Literal["BUILD_START"] = "BUILD_START"
    data: BuildStartData


class BuildUpdate(Record):
    """Progress, phase, metrics or a gap."""

    type: Literal["BUILD_UPDATE"] = "BUILD_UPDATE"
    data: BuildUpdateData


class BuildLog(Record):
    """Log lines."""

    type: Literal["BUILD_LOG"] = "BUILD_LOG"
    data: BuildLogData


class BuildComplete(Record):
    """The command ended; only artifacts may follow."""

    type: Literal["BUILD_COMPLETE"] = "BUILD_COMPLETE"
    data: BuildCompleteData


class ArtifactUploaded(Record):
    """An artifact's bytes are in the store, unverified."""

    type: Literal["ARTIFACT_UPLOADED"] = "ARTIFACT_UPLOADED"
    data: ArtifactUploadedData


class BuildVerdict(Message):
    """Ingest's judgement; key (build id, revision)."""

    type: Literal["BUILD_VERDICT"] = "BUILD_VERDICT"
    data: BuildVerdictData


class BuildFailing(Message):
    """A step of a running build failed, so the build will: an alert need not wait for its end; key build id."""

    type: Literal["BUILD_FAILING"] = "BUILD_FAILING"
    data: BuildVerdictData


class ArtifactReady(Message):
    """An artifact may be downloaded; key artifact id."""

    type: Literal["ARTIFACT_READY"] = "ARTIFACT_READY"
    data: ArtifactReadyData


class BuildHeartbeat(Message):
    """The agent of a running build is alive."""

    type: Literal["BUILD_HEARTBEAT"] = "BUILD_HEARTBEAT"
    data: HeartbeatData = HeartbeatData()


AgentRecord = Annotated[
    BuildStart | BuildUpdate | BuildLog | BuildComplete | ArtifactUploaded, Field(discriminator="type")
]
BuildMessage = Annotated[
    BuildStart
    | BuildUpdate
    | BuildLog
    | BuildComplete
    | ArtifactUploaded
    | BuildVerdict
    | BuildFailing
    | ArtifactReady
    | BuildHeartbeat,
    Field(discriminator="type"),
]

agent_record: TypeAdapter[Any] = TypeAdapter(AgentRecord)
"""Validates one record of an agent: `agent_record.validate_json(body)`."""

build_message: TypeAdapter[Any] = TypeAdapter(BuildMessage)
"""Validates any message of the exchange `builds`."""
