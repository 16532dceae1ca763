"""What artifacts and notes look like in a store: what they are found by, and an artifact's whole text beside it."""

from typing import Any

from build_artifacts.artifact import Artifact

_INDEXED = {"id", "build_id", "state", "updated_at", "version", "is_held"}


def artifact_row(artifact: Artifact) -> dict[str, Any]:
    """What an artifact is found by, beside all of it as JSON text in `body`."""
    return {**artifact.model_dump(include=_INDEXED), "body": artifact.to_json()}
