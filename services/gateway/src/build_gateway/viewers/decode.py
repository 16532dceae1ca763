"""What a viewer sent: a frame, a fault that ends its session, or what of it has no effect. Pure.

A field that nobody reads is not refused, because a newer page may send it; but a client whose author misspelt one would
wait for ever, so it is answered with a WARNING.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from build_protocol.frames import Auth, FrameWarning, Ping, Subscribe, viewer_frame
from build_protocol.messages import BuildMessage
from pydantic import ValidationError
from pydantic_core import from_json

FRAME_CHARACTERS = 64 * 1024
NAMED = 10
"""So many names stand in one warning at most."""

NAME_CHARACTERS = 40

Frame = Auth | Subscribe | Ping
FRAME_TYPES = tuple(model.model_fields["type"].default for model in get_args(Frame))
EVENTS = tuple(model.model_fields["type"].default for model in get_args(get_args(BuildMessage)[0]))
"""Message types that a row may come with."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One WebSocket message of a viewer. `fault` is the sentence that its session ends with."""

    frame: Frame | None = None
    fault: str | None = None
    warnings: tuple[FrameWarning, ...] = ()


def decode(message: str | bytes) -> Decoded:
    """Read one message; never raises."""
    if isinstance(message, bytes):
        return Decoded(fault="send text frames: JSON, UTF-8")
    if len(message) > FRAME_CHARACTERS:
        return Decoded(fault=f"a viewer's frame has at most {FRAME_CHARACTERS} characters")
    try:
        frame: Frame = viewer_frame.validate_json(message, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if fault["type"] == "union_tag_invalid" and isinstance(kind := from_json(message)["type"], str):
            return Decoded(warnings=(_unknown_frame(kind),))
        return Decoded(fault=f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}")
    return Decoded(frame, warnings=tuple(_without_effect(frame, from_json(message))))


def _unknown_frame(kind: str) -> FrameWarning:
    detail = f"no frame type {kind[:NAME_CHARACTERS]!a}; a viewer sends {', '.join(FRAME_TYPES)}"
    return FrameWarning(code="unknown_frame", detail=detail, frame=kind[:NAME_CHARACTERS])


def _without_effect(frame: Frame, sent: dict[str, Any]) -> Iterator[FrameWarning]:
    fields = type(frame).model_fields
    known = {field.alias or name: name for name, field in fields.items()}
    if unknown := [name for name in sent if name not in known and name not in fields]:
        detail = f"{frame.type} has no field {_listed(unknown, known)}; it has {', '.join(known)}"
        yield FrameWarning(code="unknown_fields", detail=detail, frame=frame.type, fields=_cut(unknown))
    if isinstance(frame, Subscribe):
        yield from _unanswered(frame)


def _unanswered(frame: Subscribe) -> Iterator[FrameWarning]:
    """What a SUBSCRIBE asks for and can never get."""
    if events := [event for event in frame.events if event not in ("*", *EVENTS)]:
        detail = f"events: no message type {_listed(events, EVENTS)}; there are {', '.join(EVENTS)}, and * for all"
        yield FrameWarning(code="no_effect", detail=detail, frame=frame.type, fields=_cut(events))
    if builds := [build_id for build_id in frame.after_seq if build_id not in frame.build_ids]:
        detail = f"afterSeq: {_listed(builds, ())} is not among buildIds, so no line of it is pushed"
        yield FrameWarning(code="no_effect", detail=detail, frame=frame.type, fields=_cut(builds))


def _listed(names: Iterable[str], known: Iterable[str]) -> str:
    """The names, each with the known one that is most like it."""
    choices = list(known)
    likely = ((name, get_close_matches(name, choices, 1)) for name in _cut(names))
    return ", ".join(f"{name!a} (did you mean {like[0]}?)" if like else ascii(name) for name, like in likely)


def _cut(names: Iterable[str]) -> list[str]:
    return [name[:NAME_CHARACTERS] for name in list(names)[:NAMED]]
