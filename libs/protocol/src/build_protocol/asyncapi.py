"""The WebSocket as published documents: JSON Schema of every frame, and AsyncAPI 3 of who sends which one when.

`python -m build_protocol.asyncapi` prints the second.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from build_protocol import examples
from build_protocol.frames import AGENT_SUBPROTOCOL, VIEWER_SUBPROTOCOL
from build_protocol.model import WireModel

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI_VERSION = "3.1.0"
PROTOCOL_VERSION = AGENT_SUBPROTOCOL.rsplit(".v", 1)[1]

SENT: dict[str, Sequence[WireModel]] = {
    "fromAgent": examples.FROM_AGENT,
    "toAgent": examples.TO_AGENT,
    "fromViewer": examples.FROM_VIEWER,
    "toViewer": examples.TO_VIEWER,
}
"""An example of every frame, by who sends it to the gateway, or to whom the gateway sends it."""

_TITLE = "ML Compiler Build Dashboard: the WebSocket"
_CHANNELS = {
    "agent": (
        "Build agents, with `Authorization: Bearer <API key>` in the upgrade and without an `Origin`.",
        AGENT_SUBPROTOCOL,
    ),
    "viewer": (
        "Whoever watches, without `Authorization`: the upgrade's `Origin` is this host's, or one that is allowed.",
        VIEWER_SUBPROTOCOL,
    ),
}


def frame_type(frame: WireModel) -> str:
    """The `type` of a frame or record."""
    return str(type(frame).model_fields["type"].default)


def frame_schemas(template: str) -> dict[str, Any]:
    """A JSON Schema of each frame and of everything in it, by the models' names.

    Args:
        template: How one refers to another, as `#/$defs/{model}`.
    """
    models = [(type(frame), "validation") for frames in SENT.values() for frame in frames]
    _, schema = models_json_schema(models, ref_template=template)  # type: ignore[arg-type]  # a list of pairs
    definitions: dict[str, Any] = schema["$defs"]
    for definition in definitions.values():
        _complete(definition)
    return definitions


def _complete(definition: dict[str, Any]) -> None:
    """Say what pydantic takes for granted, and leave out what says nothing."""
    properties = definition.get("properties", {})
    # What tells frames apart has a default for whoever makes one in Python; on the wire it is never left out.
    if "const" in properties.get("type", {}):
        definition["required"] = ["type", *definition.get("required", ())]
    for field in properties.values():
        field.pop("title", None)
        if "patternProperties" in field:
            field["additionalProperties"] = False


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of any frame; `$defs` has one for each direction, as `fromAgent`."""
    definitions = frame_schemas("#/$defs/{model}")
    for direction, frames in SENT.items():
        definitions[direction] = {"oneOf": [{"$ref": f"#/$defs/{type(frame).__name__}"} for frame in frames]}
    anything = [{"$ref": f"#/$defs/{direction}"} for direction in SENT]
    return {"$schema": SCHEMA_DIALECT, "title": _TITLE, "anyOf": anything, "$defs": definitions}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3: the endpoint's two channels, their frames with an example each, and which side sends them."""
    operations = {}
    for peer in _CHANNELS:
        for action, direction in (("receive", f"from{peer.title()}"), ("send", f"to{peer.title()}")):
            for frame in SENT[direction]:
                operations[f"{action}{type(frame).__name__}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{peer}"},
                    "summary": _first_line(frame),
                    "messages": [{"$ref": f"#/channels/{peer}/messages/{type(frame).__name__}"}],
                }
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": _TITLE,
            "version": PROTOCOL_VERSION,
            "description": "Actions are the gateway's: it receives what agents and viewers send. "
            "Fields and frames that a peer does not know are ignored.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"gateway": {"host": "builds.example", "protocol": "wss", "description": "Wherever it is served."}},
        "channels": {
            peer: {"address": "/ws", "title": subprotocol, "description": says, "messages": _references(peer)}
            for peer, (says, subprotocol) in _CHANNELS.items()
        },
        "operations": operations,
        "components": {
            "messages": {type(frame).__name__: _message(frame) for frames in SENT.values() for frame in frames},
            "schemas": _plain(frame_schemas("#/components/schemas/{model}")),
        },
    }


def _references(peer: str) -> dict[str, Any]:
    frames: Iterable[WireModel] = (*SENT[f"from{peer.title()}"], *SENT[f"to{peer.title()}"])
    return {type(each).__name__: {"$ref": f"#/components/messages/{type(each).__name__}"} for each in frames}


def _message(frame: WireModel) -> dict[str, Any]:
    return {
        "name": frame_type(frame),
        "summary": _first_line(frame),
        "payload": {"$ref": f"#/components/schemas/{type(frame).__name__}"},
        "examples": [{"name": frame_type(frame), "payload": json.loads(frame.to_json())}],
    }


def _first_line(frame: WireModel) -> str:
    return (type(frame).__doc__ or "").strip().partition("\n")[0]


def _plain(node: Any) -> Any:
    """A schema with the discriminators of AsyncAPI, which are names of a property without the mapping."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value["propertyName"]
        if key == "discriminator" and isinstance(value, dict) and "propertyName" in value
        else _plain(value)
        for key, value in node.items()
    }


if __name__ == "__main__":
    json.dump(asyncapi(), sys.stdout, indent=2)
