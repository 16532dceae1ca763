"""Live events as viewers get them: encoded once, shared by every viewer's queue, with the fields routing needs."""

import json
from dataclasses import dataclass

from build_protocol.frames import Resync
from build_protocol.model import BuildId, Count, ProjectName, WireModel


@dataclass(frozen=True, slots=True)
class BuildEvent:
    """A BUILD frame: the whole row of a build at `revision`."""

    build_id: str
    project: str
    revision: int
    events: frozenset[str]
    text: str


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
    return BuildEvent(build.id, build.project, build.revision, frozenset(head.events), body.decode())


def read_log(body: bytes) -> LogEvent:
    """A LOG body as ingest announced it; its lines are not looked at. Raises ValidationError."""
    head = _LogHead.model_validate_json(body)
    return LogEvent(head.build_id, head.project, head.seq, body.decode())


def merge(older: BuildEvent, newer: BuildEvent) -> BuildEvent:
    """One event for two of the same build: the later row, the types of both."""
    first, last = (newer, older) if older.revision > newer.revision else (older, newer)
    if first.events <= last.events:
        return last
    events = first.events | last.events
    frame = {**json.loads(last.text), "events": sorted(events)}
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
    return BuildEvent(last.build_id, last.project, last.revision, events, text)


def resync(build_id: str | None, reason: str) -> str:
    """A RESYNC frame."""
    return Resync(build_id=build_id, reason=reason).to_json()
