"""One example of every frame and record: a build of torch-mlir that fails, as it is seen on the wire.

The documents, the JSON Schema and the AsyncAPI description show them, and tests hold all of these to the models.
"""

import hashlib

from build_protocol.clocks import AgentClock, ClockAnchor
from build_protocol.frames import (
    Ack,
    Auth,
    BuildChanged,
    BuildExtent,
    Close,
    Closed,
    Command,
    CommandAck,
    Drain,
    FrameWarning,
    Heartbeat,
    Hello,
    HelloBuild,
    LastGreen,
    LastGreenAnswer,
    LastGreenQuery,
    LogAppended,
    Ping,
    Pong,
    Ready,
    Records,
    Refused,
    Resync,
    SourceHealth,
    StoredAnswer,
    StoredQuery,
    StoredQueryBuild,
    Subscribe,
    Subscribed,
    UnbuildableProject,
    Welcome,
)
from build_protocol.messages import (
    ArtifactUploaded,
    ArtifactUploadedData,
    BuildComplete,
    BuildCompleteData,
    BuildLog,
    BuildLogData,
    BuildMetrics,
    BuildStart,
    BuildStartData,
    BuildUpdate,
    BuildUpdateData,
    Commit,
    FailureData,
    Host,
    LogTotals,
    Pin,
    Record,
    TestResult,
)
from build_protocol.model import WireModel
from build_protocol.views import Build

_BUILD = "019a7b3c-5d2e-7f10-8a4b-6c9d0e1f2a3b"
_COMMIT = "9f3c1e7a5b2d4c6e8f0a1b2c3d4e5f6a7b8c9d0e"
_GREEN = "4b1d9e6f8a2c3d5e7f9b0a1c2d3e4f5061728394"
_LLVM = "c13d7e2f9a8b4c5d6e7f80912a3b4c5d6e7f8091"
_PROJECT = "torch-mlir"
_BEGAN_AT = 1_796_040_000_000
_BOOT = "6a1f0c9e"
_LINES = ["[1/2188] Building CXX object Utils.cpp.o", "[2/2188] Building CXX object Linear.cpp.o"]
_ERROR = "lib/Conversion/TorchToLinalg/Linear.cpp:412:9: error: no member named 'getStrides' in 'ConvOp'"
_TEXT = "\n".join([*_LINES, _ERROR]).encode()
_ARTIFACT = "3f1c9a7e5b2d4c6e8f0a1b2c3d4e5f6a"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

_CLOCK = AgentClock(wall_at=_BEGAN_AT, boot_id=_BOOT, uptime_ms=86_400_000)
_FAILURE = FailureData(
    category="compile_error",
    fault="code",
    tool="clang",
    file="lib/Conversion/TorchToLinalg/Linear.cpp",
    line=412,
    col=9,
    message="no member named 'getStrides' in 'ConvOp'",
    target="lib/Conversion/TorchToLinalg/CMakeFiles/obj.TorchMLIRTorchToLinalg.dir/Linear.cpp.o",
    first_line=3,
    signature="compile_error:no member named getstrides in convop",
)

RECORDS: tuple[Record, ...] = (
    BuildStart(
        build_id=_BUILD,
        project=_PROJECT,
        timestamp=_BEGAN_AT,
        seq=1,
        data=BuildStartData(
            branch="main",
            config="release",
            origin="ci",
            commit=_COMMIT,
            commit_subject="Lower aten.conv2d through linalg",
            commit_author="Ada",
            committed_at=_BEGAN_AT - 600_000,
            dirty=False,
            repository="https://github.com/llvm/torch-mlir",
            pins=[Pin(name="llvm-project", commit=_LLVM, source="externals/llvm-project")],
            commits=[Commit(sha=_COMMIT, parents=[_GREEN], author="Ada", subject="Lower aten.conv2d through linalg")],
            command=["ninja", "-C", "build"],
            cwd="/home/ci/torch-mlir",
            host=Host(name="builder-07", os="Linux 6.1", arch="x86_64", cores=64, memory_bytes=270_582_939_648),
            tools={"cmake": "3.31.6", "ninja": "1.13.0", "clang": "19.1.7"},
            agent_version="0.1.0",
            clock=_CLOCK,
        ),
    ),
    BuildLog(
        build_id=_BUILD,
        project=_PROJECT,
        timestamp=_BEGAN_AT + 61_000,
        seq=2,
        data=BuildLogData(
            first_line=1,
            lines=[*_LINES, _ERROR],
            stream="out",
            times_ms=[_BEGAN_AT + 60_000, _BEGAN_AT + 60_900],
        ),
    ),
    BuildUpdate(
        build_id=_BUILD,
        project=_PROJECT,
        timestamp=_BEGAN_AT + 61_000,
        seq=3,
        data=BuildUpdateData(
            progress=0.1,
            phase="build",
            step="Building CXX object Linear.cpp.o",
            metrics=BuildMetrics(steps_done=2, steps_total=2188, warnings=0),
            remaining_ms=1_620_000,
            tests=[TestResult(name="TorchToLinalg/convolution.mlir", outcome="passed", tool="lit", seconds=0.4)],
        ),
    ),
    BuildComplete(
        build_id=_BUILD,
        project=_PROJECT,
        timestamp=_BEGAN_AT + 63_000,
        seq=4,
        data=BuildCompleteData(
            status="failed",
            exit_code=1,
            metrics=BuildMetrics(cpu_ms=410_000, wall_ms=63_000, peak_rss_bytes=6_442_450_944),
            totals=LogTotals(lines=3, bytes=len(_TEXT), sha256=hashlib.sha256(_TEXT).hexdigest()),
        ),
    ),
    ArtifactUploaded(
        build_id=_BUILD,
        project=_PROJECT,
        timestamp=_BEGAN_AT + 64_000,
        seq=5,
        data=ArtifactUploadedData(
            artifact_id=_ARTIFACT, name="ninja.log", size_bytes=20_480, sha256=_SHA256, content_type="text/plain"
        ),
    ),
)
"""Every type of record, in the order in which a build sends them."""

FROM_AGENT: tuple[WireModel, ...] = (
    Hello(
        agent_version="0.1.0",
        instance="c0ffee42",
        host="builder-07",
        builds=[
            HelloBuild(
                build_id=_BUILD, project=_PROJECT, branch="main", config="release", first_unacked=1, last_spooled=4
            )
        ],
        serves=[_PROJECT],
        clock=_CLOCK,
    ),
    Records(
        records=list(RECORDS[:1]),
        clock=_CLOCK,
        anchor=ClockAnchor(server_at=_BEGAN_AT - 90_000, boot_id=_BOOT, uptime_ms=86_310_000),
    ),
    Heartbeat(
        builds=[_BUILD],
        spool_bytes=18_432,
        oldest_unacked_ms=120,
        disk_free_bytes=53_687_091_200,
        unbuildable=[
            UnbuildableProject(
                project="iree",
                reason="git: fatal: could not read from remote repository",
                since_at=_BEGAN_AT - 300_000,
                failures=3,
                retry_seconds=240,
            )
        ],
        sources=[
            SourceHealth(
                name="lab.llvm.org/buildbot",
                kind="buildbot",
                url="https://lab.llvm.org/buildbot",
                projects=["llvm-project"],
                read_at=_BEGAN_AT - 900,
                lag_ms=900,
                open_builds=17,
                requests_per_minute=212,
            )
        ],
    ),
    CommandAck(command_id="cmd-7f31", state="done", detail="the build was cancelled", build_id=_BUILD),
    LastGreenQuery(build_id=_BUILD, project=_PROJECT, branch="main", config="release"),
    StoredQuery(query="1", builds=[StoredQueryBuild(build_id=_BUILD, project=_PROJECT)]),
)

TO_AGENT: tuple[WireModel, ...] = (
    Welcome(
        session="5f0e1d2c3b4a5968",
        agent="builder-07",
        server_at=_BEGAN_AT + 40,
        stored={_BUILD: 0},
        last_green=[LastGreen(project=_PROJECT, branch="main", config="release", commit=_GREEN)],
        dashboard_url="https://builds.example",
    ),
    Ack(build_id=_BUILD, confirmed=4, stored=3, resend_from=4, verified=False),
    Refused(code="too_large", detail="record of 31044 bytes; the limit is 24576: split it", build_id=_BUILD, seq=2),
    Command(
        command_id="cmd-7f31",
        kind="cancel",
        build_id=_BUILD,
        project=_PROJECT,
        args={"reason": "superseded"},
        requested_by="ada",
        expires_at=_BEGAN_AT + 86_400_000,
    ),
    LastGreenAnswer(build_id=_BUILD, commit=_GREEN),
    StoredAnswer(query="1", builds={_BUILD: BuildExtent(stored=4, log_lines=2, log_bytes=len(_TEXT))}),
    Drain(),
    Closed(code=Close.RATE_LIMITED, reason="at most 1000 frames a second"),
)

FROM_VIEWER: tuple[WireModel, ...] = (
    Auth(token="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"),  # noqa: S106  nobody's
    Subscribe(projects=[_PROJECT], events=["*"], build_ids=[_BUILD], after_seq={_BUILD: 0}),
    Ping(),
)

TO_VIEWER: tuple[WireModel, ...] = (
    Ready(user="ada", server_at=_BEGAN_AT + 50, expires_at=_BEGAN_AT + 900_000),
    Subscribed(),
    BuildChanged(
        events=["BUILD_LOG", "BUILD_UPDATE"],
        build=Build(
            id=_BUILD,
            project=_PROJECT,
            branch="main",
            config="release",
            status="running",
            commit=_COMMIT,
            agent="builder-07",
            command=["ninja", "-C", "build"],
            started_at=_BEGAN_AT,
            server_started_at=_BEGAN_AT + 40,
            progress=0.1,
            phase="build",
            log_lines=3,
            log_bytes=len(_TEXT),
            last_line=_ERROR,
            as_of_seq=3,
            revision=3,
            metrics=BuildMetrics(steps_done=2, steps_total=2188, warnings=0),
            first_failure=_FAILURE,
            failure_count=1,
            updated_at=_BEGAN_AT + 61_040,
        ),
    ),
    LogAppended(
        build_id=_BUILD,
        project=_PROJECT,
        after_seq=0,
        seq=2,
        first_line=1,
        lines=[*_LINES, _ERROR],
        streams=["out"],
        times_ms=[_BEGAN_AT + 60_000, _BEGAN_AT + 60_900],
        continues=False,
    ),
    Resync(build_id=_BUILD, reason="you read too slowly: read the log's new range"),
    Pong(server_at=_BEGAN_AT + 30_000),
    FrameWarning(
        code="unknown_fields",
        detail="SUBSCRIBE has no field 'buildId' (did you mean buildIds?); "
        "it has type, projects, events, buildIds, afterSeq",
        frame="SUBSCRIBE",
        fields=["buildId"],
    ),
)
