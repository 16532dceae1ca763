"""The wire as JSON Schema, from which the page's TypeScript types are generated: `python -m build_protocol.schema`."""

import json
import sys
from typing import Any

from pydantic.json_schema import models_json_schema

from build_protocol import frames, views

MODELS = (
    frames.Auth,
    frames.Subscribe,
    frames.Ping,
    frames.Ready,
    frames.Subscribed,
    frames.BuildChanged,
    frames.LogAppended,
    frames.Resync,
    frames.Pong,
    frames.FrameWarning,
    views.BuildDetail,
    views.BuildList,
    views.LogPage,
    views.LogSearch,
    views.LogNews,
    views.BuildHits,
    views.LogsSearched,
    views.TestPage,
    views.Problem,
)


def wire_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 with one `$defs` entry per model; names are the models' names."""
    _, schema = models_json_schema([(model, "serialization") for model in MODELS], title="BuildDashboardWire")
    return schema


if __name__ == "__main__":
    json.dump(wire_schema(), sys.stdout, indent=2)
