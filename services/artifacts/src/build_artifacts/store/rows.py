"""What artifacts and notes look like in a store: what they are found by, and an artifact's whole text beside it."""

from collections.abc import Sequence
from typing import Any

from build_artifacts.artifact import Artifact, State

UNFINISHED: Sequence[State] = ("pending", "uploading", "reported", "refused")
"""States that a report or another offer ends; they count against an agent."""
COUNTED: Sequence[State] = ("pending", "uploading", "reported", "verified", "damaged")
"""States in which bytes are, or are promised to be, in the object store."""
_INDEXED = {"id", "build_id", "project", "size_bytes", "state", "updated_at", "version", "is_held", "agent"}


def artifact_row(artifact: Artifact) -> dict[str, Any]:
    """What an artifact is found by, beside all of it as JSON text in `body`."""
    return {**artifact.model_dump(include=_INDEXED), "body": artifact.to_json()}
