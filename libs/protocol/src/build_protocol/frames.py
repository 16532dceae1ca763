"""Frames on the one endpoint `/ws`: agents (API key in the upgrade) and viewers (AUTH as first frame).

Where no WebSocket passes, agents post the same frames there, a line each, and are answered with lines.

Unknown fields and unknown frame types are ignored and counted. The subprotocol name carries the version.
"""

from enum import IntEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from build_protocol import limits as default
from build_protocol.clocks import AgentClock, ClockAnchor
from build_protocol.messages import AgentRecord, Stream
from build_protocol.model import (
    BuildId,
    Count,
    EpochMs,
    ProjectName,
    Sequence_,
    Sha,
    ShortText,
    Text,
    WebUrl,
    WireModel,
)
from build_protocol.views import Build

AGENT_SUBPROTOCOL = "build-dashboard.agent.v2"
VIEWER_SUBPROTOCOL = "build-dashboard.viewer.v2"


class Close(IntEnum):
    """WebSocket close codes; 44xx are ours."""

    RESTART = 1012
    """The gateway stops: reconnect after a random 0 to 15 s."""
    TRY_LATER = 1013
    """Overloaded, or a viewer that reads too slowly."""
    BAD_FRAME = 4400
    """A frame broke the protocol; the reason says how."""
    BAD_TOKEN = 4401
    HELLO_LATE = 4408
    SUPERSEDED = 4409
    """A newer connection of the same agent took over: this one must not come back."""
    TOO_OLD = 4426
    RATE_LIMITED = 4429


# --- agent -> gateway -------------------------------------------------------


class HelloBuild(WireModel):
    """A build whose records the agent still holds."""

    build_id: BuildId
    project: ProjectName
    branch: ShortText | None = None
    config: ShortText | None = None
    first_unacked: Sequence_
    last_spooled: Count


class Hello(WireModel):
    """The agent's first frame, within 5 s."""

    type: Literal["HELLO"] = "HELLO"
    agent_version: ShortText
    instance: ShortText = Field(description="Random per agent process; distinguishes two copies of one agent.")
    host: ShortText | None = None
    builds: list[HelloBuild] = Field(default_factory=list, max_length=1000)
    serves: list[ProjectName] = Field(
        default_factory=list, max_length=100, description="Projects this process builds when triggered."
    )
    clock: AgentClock | None = Field(None, description="Now; absent: the agent cannot tell.")


class Records(WireModel):
    """Records of one or several builds, each build's in sequence."""

    type: Literal["RECORDS"] = "RECORDS"
    records: list[AgentRecord] = Field(min_length=1, max_length=default.RECORDS_PER_FRAME)
    clock: AgentClock | None = Field(None, description="Now; absent: the agent cannot tell.")
    anchor: ClockAnchor | None = Field(
        None, description="Of the boot in which the frame's build began, where that boot is over or elsewhere."
    )


class UnbuildableProject(WireModel):
    """A project that the agent serves and cannot check out."""

    project: ProjectName
    reason: Annotated[str, StringConstraints(max_length=1000)] = Field(
        description="A sentence, with git's own words where it was git, without credentials."
    )
    since_at: EpochMs = Field(description="The first of the failures in a row, by the agent's clock.")
    failures: Count = Field(1, description="In a row, so far.")
    retry_seconds: Count = Field(description="From the newest failure to the next try.")


class SourceHealth(WireModel):
    """How well a mirror follows the CI it shows."""

    name: ShortText = Field(description="What the mirror calls the CI; part of its builds' ids.")
    kind: ShortText = Field(description="What it is, e.g. `buildbot`.")
    url: WebUrl | None = Field(None, description="Its page.")
    projects: list[ProjectName] = Field(default_factory=list, max_length=100, description="Where its builds go.")
    read_at: EpochMs | None = Field(None, description="When it last answered, by the mirror's clock.")
    lag_ms: Count | None = Field(None, description="How far what is shown is behind what it has, at most; now.")
    failing_since_at: EpochMs | None = Field(None, description="It has not answered since; absent: it answers.")
    problem: Annotated[str, StringConstraints(max_length=1000)] | None = Field(None, description="Why it does not.")
    open_builds: Count = Field(0, description="Builds that are followed now.")
    waiting_builds: Count = Field(0, description="Builds that it has, and that are still to be read.")
    requests_per_minute: Count = Field(0, description="What it was asked in the last minute.")
    requests_left: Count | None = Field(None, description="What it still grants until `requests_renewed_at`.")
    requests_renewed_at: EpochMs | None = None
    refused_requests: Count = Field(0, description="Requests that it refused (401, 403, 429), since the mirror began.")
    lost_logs: Count = Field(0, description="Logs that it had deleted, or cut, before they were read.")


class Heartbeat(WireModel):
    """Every 10 s, and when a project cannot be built any more or again: which builds run, what waits in the spool."""

    type: Literal["HEARTBEAT"] = "HEARTBEAT"
    builds: list[BuildId] = Field(default_factory=list, max_length=1000)
    spool_bytes: Count = 0
    oldest_unacked_ms: Count | None = None
    disk_free_bytes: Count | None = None
    unbuildable: list[UnbuildableProject] = Field(default_factory=list, max_length=100)
    sources: list[SourceHealth] = Field(default_factory=list, max_length=32)


class CommandAck(WireModel):
    """What became of a command; `accepted` is sent once it is journaled, before it takes effect."""

    type: Literal["COMMAND_ACK"] = "COMMAND_ACK"
    command_id: ShortText
    state: Literal["accepted", "done", "rejected", "expired"]
    detail: Text | None = None
    build_id: BuildId | None = None


class LastGreenQuery(WireModel):
    """Which commit was the last green one of this build's config? Asked once the agent knows the branch."""

    type: Literal["LAST_GREEN_QUERY"] = "LAST_GREEN_QUERY"
    build_id: BuildId
    project: ProjectName
    branch: ShortText | None = None
    config: ShortText = "default"


class StoredQueryBuild(WireModel):
    """A build that STORED_QUERY asks about."""

    build_id: BuildId
    project: ProjectName


class StoredQuery(WireModel):
    """How much of these builds is stored? For an agent whose records are made anew from elsewhere, as a mirror's."""

    type: Literal["STORED_QUERY"] = "STORED_QUERY"
    query: ShortText = Field(description="Names the answer.")
    builds: list[StoredQueryBuild] = Field(min_length=1, max_length=1000)


AgentFrame = Annotated[
    Hello | Records | Heartbeat | CommandAck | LastGreenQuery | StoredQuery, Field(discriminator="type")
]
agent_frame: TypeAdapter[Any] = TypeAdapter(AgentFrame)


# --- gateway -> agent -------------------------------------------------------


class Limits(WireModel):
    """What the gateway takes."""

    record_bytes: Count = default.RECORD_BYTES
    frame_bytes: Count = default.FRAME_BYTES


class LastGreen(WireModel):
    """The last green commit of a config, so that the agent can send the range since."""

    project: ProjectName
    branch: str | None = None
    config: str
    commit: Sha


class Command(WireModel):
    """An order to an agent: stored first, resent until acked by id, at most one effect."""

    type: Literal["COMMAND"] = "COMMAND"
    command_id: ShortText
    kind: Literal["cancel", "trigger", "drain", "resume"]
    build_id: BuildId | None = None
    project: ProjectName | None = None
    args: dict[ShortText, Text] = Field(default_factory=dict)
    requested_by: ShortText | None = None
    expires_at: EpochMs | None = None


class Welcome(WireModel):
    """The gateway's answer to HELLO."""

    type: Literal["WELCOME"] = "WELCOME"
    session: ShortText
    agent: ShortText = Field(description="The agent's name, from its key.")
    server_at: EpochMs
    limits: Limits = Limits()
    window_bytes: Count = default.WINDOW_BYTES
    heartbeat_seconds: float = default.HEARTBEAT_SECONDS
    lease_seconds: float = default.LOST_SECONDS
    stored: dict[str, Count] | None = Field(
        None,
        description="Build id -> highest seq stored with all before; absent when ingest did not answer within 1 s.",
    )
    last_green: list[LastGreen] = Field(default_factory=list)
    dashboard_url: str | None = None


class Ack(WireModel):
    """Cumulative: `confirmed` by the broker opens the window, `stored` lets the agent forget."""

    type: Literal["ACK"] = "ACK"
    build_id: BuildId
    confirmed: Count
    stored: Count
    resend_from: Sequence_ | None = None
    verified: bool | None = None
    window_bytes: Count = Field(default.WINDOW_BYTES, description="0 pauses.")


class Refused(WireModel):
    """Something will never be taken: the agent drops it, logs it and shows it.

    With `seq` one record, without it the whole build; `code` is for programs, `detail` says what to do.
    """

    type: Literal["REFUSED"] = "REFUSED"
    code: Literal[
        "malformed",
        "unknown_type",
        "too_large",
        "binary",
        "project_not_allowed",
        "build_not_yours",
        "build_unknown",
        "sequence_gap",
        "closed",
    ]
    detail: Text
    build_id: str | None = None
    seq: int | None = None


class LastGreenAnswer(WireModel):
    """Answer to LAST_GREEN_QUERY; without `commit` none is known."""

    type: Literal["LAST_GREEN"] = "LAST_GREEN"
    build_id: BuildId
    commit: Sha | None = None


class BuildExtent(WireModel):
    """How much of a build is stored."""

    stored: Count = 0
    log_lines: Count = 0
    log_bytes: Count = Field(0, description="UTF-8 bytes of its lines, joined by newlines.")
    complete: bool = Field(False, description="BUILD_COMPLETE is stored.")
    is_foreign: bool = Field(False, description="Another agent started it, or in another project: leave it alone.")


class StoredAnswer(WireModel):
    """Answer to STORED_QUERY. Builds that nobody started are left out; without `builds` ingest did not answer."""

    type: Literal["STORED_BUILDS"] = "STORED_BUILDS"
    query: ShortText
    builds: dict[BuildId, BuildExtent] | None = None


class Drain(WireModel):
    """The gateway is about to stop: reconnect after a random wait up to `within_seconds`."""

    type: Literal["DRAIN"] = "DRAIN"
    within_seconds: float = 15.0


class Closed(WireModel):
    """The last frame where the gateway has no socket to close: of an answer to posts, and through an API Gateway."""

    type: Literal["CLOSE"] = "CLOSE"
    code: Close
    reason: Text


GatewayFrame = Annotated[
    Welcome | Ack | Refused | Command | LastGreenAnswer | StoredAnswer | Drain | Closed, Field(discriminator="type")
]
gateway_frame: TypeAdapter[Any] = TypeAdapter(GatewayFrame)


# --- viewer -> gateway ------------------------------------------------------


class Auth(WireModel):
    """A viewer's first frame, sent again before the token expires; an empty token is a visitor's to public projects."""

    type: Literal["AUTH"] = "AUTH"
    token: Annotated[str, StringConstraints(max_length=4096)]


class Subscribe(WireModel):
    """What a viewer wants to receive; replaces its earlier subscription.

    `projects`: names or `*`; `events`: message types or `*`; `build_ids`: builds whose log text is pushed,
    each continued after `after_seq[build_id]`.
    """

    type: Literal["SUBSCRIBE"] = "SUBSCRIBE"
    projects: list[ShortText] = Field(default_factory=lambda: ["*"], max_length=default.SUBSCRIPTION_PROJECTS)
    events: list[ShortText] = Field(default_factory=lambda: ["*"], max_length=32)
    build_ids: list[BuildId] = Field(default_factory=list, max_length=default.SUBSCRIPTION_BUILDS)
    after_seq: dict[BuildId, Count] = Field(default_factory=dict, max_length=default.SUBSCRIPTION_BUILDS)


class Ping(WireModel):
    """A viewer's own heartbeat: browsers expose no WebSocket ping."""

    type: Literal["PING"] = "PING"


ViewerFrame = Annotated[Auth | Subscribe | Ping, Field(discriminator="type")]
viewer_frame: TypeAdapter[Any] = TypeAdapter(ViewerFrame)


# --- gateway -> viewer (BUILD and LOG are ingest's words on `builds.live`) ---


class Ready(WireModel):
    """AUTH was accepted."""

    type: Literal["READY"] = "READY"
    user: ShortText
    server_at: EpochMs
    expires_at: EpochMs


class Subscribed(WireModel):
    """The subscription stands; everything stored from now on is pushed. Read snapshots after this frame."""

    type: Literal["SUBSCRIBED"] = "SUBSCRIBED"


class BuildChanged(WireModel):
    """The whole row of a build after a change, with the types of the messages that changed it."""

    type: Literal["BUILD"] = "BUILD"
    events: list[str]
    build: Build


class LogAppended(WireModel):
    """Log lines just stored: records `after_seq`+1 to `seq` of the build, log lines from `first_line`.

    With `continues`, the first element goes on with line `first_line`, already shown in part.
    """

    type: Literal["LOG"] = "LOG"
    build_id: BuildId
    project: ProjectName
    after_seq: Count
    seq: Count
    first_line: Count
    lines: list[str]
    streams: list[Stream] = Field(default_factory=list, description="One per line, or one for all.")
    times_ms: list[EpochMs] = Field(default_factory=list, description="One per line; shorter: the last holds on.")
    continues: bool | None = None


class Resync(WireModel):
    """Something was skipped (gap or overflow): read the range or the list again by REST."""

    type: Literal["RESYNC"] = "RESYNC"
    build_id: str | None = None
    reason: ShortText


class FrameWarning(WireModel):
    """Something in the viewer's frame has no effect; the rest of the frame was taken."""

    type: Literal["WARNING"] = "WARNING"
    code: Literal["unknown_frame", "unknown_fields", "no_effect"]
    detail: Text
    frame: ShortText = Field(description="The `type` of the frame it is about.")
    fields: list[str] = Field(default_factory=list, description="What in it has no effect, as it was written.")


class Pong(WireModel):
    """Answer to PING."""

    type: Literal["PONG"] = "PONG"
    server_at: EpochMs


class Stored(WireModel):
    """Ingest's word (on `builds.live`, to gateways): everything up to `upto` is stored, and whose build it is."""

    type: Literal["STORED"] = "STORED"
    build_id: BuildId
    project: ProjectName
    agent: str
    upto: Count
    resend_from: Sequence_ | None = None
    verified: bool | None = None


ViewerEvent = Annotated[
    Ready | Subscribed | BuildChanged | LogAppended | Resync | Pong | FrameWarning, Field(discriminator="type")
]
LiveEvent = Annotated[BuildChanged | LogAppended | Stored, Field(discriminator="type")]
live_event: TypeAdapter[Any] = TypeAdapter(LiveEvent)


# --- gateway -> all gateways (exchange `builds.control`) ---------------------


class Revoked(WireModel):
    """A user, a group's members, key or agent lost its rights: every gateway closes its sockets within 5 s."""

    type: Literal["REVOKED"] = "REVOKED"
    user: str | None = None
    group: str | None = None
    key_id: str | None = None
    agent: str | None = None


class CommandStored(WireModel):
    """A command waits in the gateway's store for this agent: whoever holds its socket sends it."""

    type: Literal["COMMAND_STORED"] = "COMMAND_STORED"
    agent: str
    command_id: str


class AgentConnected(WireModel):
    """An agent connected here: any other gateway closes its older connection with 4409."""

    type: Literal["AGENT_CONNECTED"] = "AGENT_CONNECTED"
    agent: str
    instance: str
    session: str


ControlEvent = Annotated[Revoked | CommandStored | AgentConnected, Field(discriminator="type")]
control_event: TypeAdapter[Any] = TypeAdapter(ControlEvent)
