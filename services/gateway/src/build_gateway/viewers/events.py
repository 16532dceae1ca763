"""Live events as viewers get them: encoded once, shared by every viewer's queue, with the fields routing needs."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache

from build_protocol.frames import Resync
from build_protocol.messages import Origin
from build_protocol.model import BuildId, Count, ProjectName, WireModel

from build_gateway.public_view import without_private


@dataclass(frozen=True, slots=True)
class BuildEvent:
    """A BUILD frame: the whole row of a build at `revision`."""

    build_id: str
    project: str
    revision: int
    events: frozenset[str]
    text: str
    agent: str | None = None
    origin: Origin = "ci"
    failing: bool = False


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A LOG frame: records up to `seq` of a build."""

    build_id: str
    project: str
    seq: int
    text: str


class _BuildHead(WireModel):
    id: BuildId
    project: ProjectName
    revision: Count = 0
    agent: str | None = None
    origin: Origin = "ci"
    failing: bool = False


class _BuildChangedHead(WireModel):
    events: list[str]
    build: _BuildHead


class _LogHead(WireModel):
    build_id: BuildId
    project: ProjectName
    seq: Count


def read_build(body: bytes) -> BuildEvent:
    """A BUILD body as ingest announced it. Raises ValidationError."""
    head = _BuildChangedHead.model_validate_json(body)
    build = head.build
    return BuildEvent(
        build.id,
        build.project,
        build.revision,
        frozenset(head.events),
        body.decode(),
        build.agent,
        build.origin,
        build.failing,
    )


def read_log(body: bytes) -> LogEvent:
    """A LOG body as ingest announced it; its lines are not looked at. Raises ValidationError."""
    head = _LogHead.model_validate_json(body)
    return LogEvent(head.build_id, head.project, head.seq, body.decode())


@lru_cache(maxsize=256)
def public(event: BuildEvent) -> BuildEvent:
    """The event as visitors without a login get it; made once for all of them."""
    text = json.dumps(without_private(json.loads(event.text)), ensure_ascii=False, separators=(",", ":"))
    return BuildEvent(event.build_id, event.project, event.revision, event.events, text)


def merge(older: BuildEvent, newer: BuildEvent) -> BuildEvent:
    """One event for two of the same build: the later row, the types of both."""
    first, last = (newer, older) if older.revision > newer.revision else (older, newer)
    if first.events <= last.events:
        return last
    events = first.events | last.events
    frame = {**json.loads(last.text), "events": sorted(events)}
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
    return replace(last, events=events, text=text)


def resync(build_id: str | None, reason: str) -> str:
    """A RESYNC frame."""
    return Resync(build_id=build_id, reason=reason).to_json()
