"""The contract of artifacts' store, the same for every driver: artifacts by id and build, notes of builds by lane."""

from collections.abc import Collection
from typing import Protocol

from build_chassis.store.contract import Store

from build_artifacts.artifact import Artifact, State
from build_artifacts.kept_builds import BuildNote, KeptBuild


class ArtifactStore(Store, Protocol):
    """The store; every method raises StoreUnavailable when it does not answer."""

    async def add(self, artifact: Artifact, note: BuildNote) -> Artifact:
        """Store an artifact and its build's note unless there are some; the artifact stored. Key: artifact id."""
        ...

    async def find(self, artifact_id: str) -> Artifact | None:
        """The artifact of this id."""
        ...

    async def of_build(self, build_id: str) -> list[Artifact]:
        """The artifacts of a build, by name and id."""
        ...

    async def change(self, artifact: Artifact) -> bool:
        """Replace the stored version before this one; False when it is no longer that. Key: artifact id, version."""
        ...

    async def untouched(self, states: Collection[State], before_at: int, limit: int) -> list[Artifact]:
        """Artifacts in one of these states that did not change since, the oldest first."""
        ...

    async def unfinished(self, agent: str) -> int:
        """How many artifacts of this agent are neither verified nor damaged nor being deleted."""
        ...

    async def project_bytes(self, project: str) -> int:
        """How large the artifacts of the project are together, those that are held or refused left out."""
        ...

    async def forget(self, artifact_ids: Collection[str]) -> None:
        """Delete those of these artifacts that are expired. Key: artifact id."""
        ...

    async def note(self, note: BuildNote) -> None:
        """Store a note unless a later revision is there. Key: build id, revision."""
        ...

    async def lanes(self) -> list[str]:
        """Every lane that has a note."""
        ...

    async def kept_builds(self, lane: str) -> list[KeptBuild]:
        """The builds of a lane, the newest first. What is held for another service makes no build full."""
        ...

    async def forget_notes(self, build_ids: Collection[str]) -> None:
        """Delete the notes of those builds which have no artifact left that retention may delete. Key: build id."""
        ...
