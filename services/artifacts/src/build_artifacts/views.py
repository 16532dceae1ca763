"""Answers of artifacts' routes."""

from build_protocol.model import EpochMs, WireModel

from build_artifacts.artifact import Artifact, State
from build_artifacts.objects import Put


class ArtifactView(WireModel):
    """One artifact as a reader sees it."""

    id: str
    build_id: str
    project: str
    name: str
    size_bytes: int
    sha256: str
    content_type: str | None = None
    state: State
    problem: str | None = None
    created_at: EpochMs

    @classmethod
    def of(cls, artifact: Artifact) -> "ArtifactView":
        """What is shown of an artifact."""
        return cls.model_validate(artifact.model_dump(include=set(cls.model_fields)))


class ArtifactList(WireModel):
    """The artifacts of a build, by name."""

    items: list[ArtifactView]


class UploadPlan(WireModel):
    """Requests to make, in any order and concurrently, then `ARTIFACT_UPLOADED` to report. None: it is stored."""

    artifact_id: str
    state: State
    puts: list[Put]
    expires_at: EpochMs


class Destination(WireModel):
    """Where the bytes of uploads go; without `url` to the dashboard itself."""

    url: str | None = None


class Link(WireModel):
    """A download anybody may open until it expires; relative to the dashboard's address, or absolute."""

    url: str
    expires_at: EpochMs
