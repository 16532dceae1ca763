"""Every frame of the WebSocket: what it means, its fields, and an example."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from build_protocol import examples
from build_protocol.asyncapi import SENT, frame_schemas, frame_type
from build_protocol.model import WireModel

from tools.reference.schemas import table

_HEADINGS = {
    "fromAgent": "Frames from an agent",
    "toAgent": "Frames to an agent",
    "fromViewer": "Frames from a viewer",
    "toViewer": "Frames to a viewer",
}


def frames_section() -> str:
    """The frames by who sends them, then the records, then what else stands in them."""
    schemas = frame_schemas("#/$defs/{model}")
    shown = {type(each).__name__ for frames in (*SENT.values(), examples.RECORDS) for each in frames}
    parts: list[str] = []
    for direction, heading in _HEADINGS.items():
        parts += [f"### {heading}", *_entries(SENT[direction], schemas)]
    parts += ["### Records of a build", *_entries(examples.RECORDS, schemas), "### What stands in them"]
    for name, schema in schemas.items():
        if name not in shown:
            values = ", ".join(f"`{value}`" for value in schema.get("enum", ()))
            parts += [f"#### {name}", _words(schema), f"One of {values}." if values else table(schema)]
    return "\n\n".join(parts)


def _entries(frames: Iterable[WireModel], schemas: Mapping[str, Any]) -> Iterator[str]:
    for frame in frames:
        schema = schemas[type(frame).__name__]
        yield f"#### {type(frame).__name__}"
        yield f"`{frame_type(frame)}`. {_words(schema)}"
        yield table(schema)
        yield f"```json\n{json.dumps(json.loads(frame.to_json()), indent=1, ensure_ascii=False)}\n```"


def _words(schema: Mapping[str, Any]) -> str:
    return " ".join(str(schema.get("description", "")).split())
