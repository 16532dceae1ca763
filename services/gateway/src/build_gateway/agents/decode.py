"""The one guarded decoder of what an agent sends: a frame, or refusals that name the wrong part and the reason.

A frame that fails as a whole is read record by record, so that one bad record costs only itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeVar

from build_protocol import limits
from build_protocol.clocks import AgentClock, ClockAnchor
from build_protocol.frames import (
    CommandAck,
    Heartbeat,
    Hello,
    LastGreenQuery,
    Records,
    Refused,
    StoredQuery,
    agent_frame,
)
from build_protocol.messages import BuildLog, Record, agent_record
from build_protocol.model import WireModel
from pydantic import ValidationError

Model = TypeVar("Model", bound=WireModel)
AgentFrame = Hello | Records | Heartbeat | CommandAck | LastGreenQuery | StoredQuery
NESTING = 16
KEY_CHARACTERS = 256
INT64 = 2**63 - 1
RECORD_SLACK_BYTES = 512
"""The gateway's encoding of a record may differ from the agent's in escapes and spaces: no reason to refuse it."""

_FRAME_TYPES = ("HELLO", "RECORDS", "HEARTBEAT", "COMMAND_ACK", "LAST_GREEN_QUERY", "STORED_QUERY")
_RECORD_TYPES = ("BUILD_START", "BUILD_UPDATE", "BUILD_LOG", "BUILD_COMPLETE", "ARTIFACT_UPLOADED")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A valid record and its encoding, as it is published."""

    record: Record
    body: bytes


@dataclass(slots=True)
class Decoded:
    """What one WebSocket message held. `unknown`: a frame type of a newer agent, ignored and counted."""

    frame: Hello | Heartbeat | CommandAck | LastGreenQuery | StoredQuery | None = None
    records: list[Admitted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unknown: bool = False
    clock: AgentClock | None = None
    anchor: ClockAnchor | None = None


def decode(text: str) -> Decoded:
    """Read one text frame; never raises."""
    try:
        frame = agent_frame.validate_json(text, strict=True)
    except ValidationError as error:
        return _decode_parts(text, error)
    if not isinstance(frame, Records):
        return Decoded(frame=frame)
    decoded = Decoded(clock=frame.clock, anchor=frame.anchor)
    for record in frame.records:
        _admit(record, decoded)
    return decoded


def _decode_parts(text: str, error: ValidationError) -> Decoded:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return Decoded(refused=[Refused(code="malformed", detail=f"the frame is not valid JSON: {_first(error)}")])
    if not isinstance(parsed, dict) or not isinstance(parsed.get("type"), str):
        detail = f"a frame is a JSON object with a `type`, one of {', '.join(_FRAME_TYPES)}"
        return Decoded(refused=[Refused(code="malformed", detail=detail)])
    if parsed["type"] not in _FRAME_TYPES:
        return Decoded(unknown=True)
    records = parsed.get("records")
    if parsed["type"] != "RECORDS" or not isinstance(records, list) or not records:
        return Decoded(refused=[Refused(code="malformed", detail=f"{parsed['type']}: {_first(error)}")])
    if len(records) > limits.RECORDS_PER_FRAME:
        detail = f"{len(records)} records in one frame; send at most {limits.RECORDS_PER_FRAME}"
        return Decoded(refused=[Refused(code="too_large", detail=detail)])
    decoded = Decoded(clock=_part(AgentClock, parsed.get("clock")), anchor=_part(ClockAnchor, parsed.get("anchor")))
    for part in records:
        _decode_part(part, decoded)
    return decoded


def _decode_part(part: object, decoded: Decoded) -> None:
    build_id, seq = _identity(part)
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(kind, str) and kind not in _RECORD_TYPES:
        detail = f"no record type {kind[:40]!a}; this gateway accepts {', '.join(_RECORD_TYPES)}"
        decoded.refused.append(Refused(code="unknown_type", detail=detail, build_id=build_id, seq=seq))
        return
    try:
        # Through JSON again, for one record alone: what only Python's parser accepts is refused by name.
        record = agent_record.validate_json(json.dumps(part, ensure_ascii=False).encode(), strict=True)
    except (ValueError, RecursionError) as error:
        detail = _fault_of(error)
        decoded.refused.append(Refused(code="malformed", detail=detail, build_id=build_id, seq=seq))
        return
    _admit(record, decoded)


def _admit(record: Record, decoded: Decoded) -> None:
    # Only what the agent sent, no defaults of the gateway: a resent record keeps its bytes across releases.
    body: bytes = record.__pydantic_serializer__.to_json(record, by_alias=True, exclude_unset=True)
    if len(body) > limits.RECORD_BYTES + RECORD_SLACK_BYTES:
        detail = f"record of {len(body)} bytes; the limit is {limits.RECORD_BYTES}: split it"
        decoded.refused.append(Refused(code="too_large", detail=detail, build_id=record.build_id, seq=record.seq))
        return
    fault = _open_fault(record)
    if fault is not None:
        decoded.refused.append(Refused(code="malformed", detail=fault, build_id=record.build_id, seq=record.seq))
        return
    decoded.records.append(Admitted(record, body))


def _open_fault(record: Record) -> str | None:
    """What a store could not hold among unknown fields; a log record without such fields costs nothing."""
    if isinstance(record, BuildLog):
        return _tree_fault(record.data.model_extra) if record.data.model_extra else None
    data: Any = getattr(record, "data")  # noqa: B009  every record has data; the shared class does not type it
    return _tree_fault(data.model_dump(exclude_unset=True))


def _tree_fault(tree: object) -> str | None:
    level: list[tuple[str, object]] = [("data", tree)]
    for _ in range(NESTING):
        below: list[tuple[str, object]] = []
        for path, value in level:
            if isinstance(value, Mapping):
                for key, child in value.items():
                    if not key or key.startswith("$") or "\0" in key or len(key) > KEY_CHARACTERS:
                        rule = f"names have 1 to {KEY_CHARACTERS} characters, no leading `$`, no NUL"
                        return f"{path[:200]}: field name {key[:40]!a}; {rule}"
                    below.append((f"{path}.{key}", child))
            elif isinstance(value, Sequence) and not isinstance(value, str):
                below.extend((f"{path}[]", child) for child in value)
            elif isinstance(value, int) and abs(value) > INT64:
                return f"{path[:200]}: integer beyond 64 bits; send it as text"
            elif isinstance(value, float) and not isfinite(value):
                return f"{path[:200]}: no finite number"
        if not below:
            return None
        level = below
    return f"nested deeper than {NESTING} levels: flatten it"


def _part(model: type[Model], part: object) -> Model | None:
    """A field beside the records: a fault in it costs none of them."""
    try:
        return model.model_validate(part, strict=True)
    except ValidationError:
        return None


def _identity(part: object) -> tuple[str | None, int | None]:
    if not isinstance(part, dict):
        return None, None
    build_id, seq = part.get("buildId"), part.get("seq")
    is_id = isinstance(build_id, str) and len(build_id) <= 64 and build_id.isascii()
    is_seq = isinstance(seq, int) and not isinstance(seq, bool) and 0 < seq <= INT64
    return (build_id if is_id else None), (seq if is_seq else None)


def _fault_of(error: ValueError | RecursionError) -> str:
    if isinstance(error, ValidationError):
        return _first(error)
    if isinstance(error, UnicodeEncodeError):
        return "a text holds a lone surrogate: send valid Unicode"
    return "nested too deeply: flatten it"


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])[:200]
    return f"{where}: {fault['msg']}" if where else str(fault["msg"])[:500]
