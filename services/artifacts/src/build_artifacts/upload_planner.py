"""Answering an offer: refuse it before a byte moves, or plan the requests that send what is missing."""

from dataclasses import dataclass
from typing import Literal

from build_chassis.store.optimistic import LOST, Lost, update

from build_artifacts.artifact import Artifact, Content, Offer
from build_artifacts.kept_builds import unjudged
from build_artifacts.objects import Objects, Put, UploadGone
from build_artifacts.owners import Owners, is_of
from build_artifacts.store import ArtifactStore

Reason = Literal["too_large", "too_many", "conflict", "not_yours"]


class Refused(Exception):
    """The offer is refused; `reason` chooses the answer's status."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Planned:
    """An artifact, and the requests still to be made; none when its bytes are here."""

    artifact: Artifact
    puts: list[Put]


@dataclass(frozen=True)
class Limits:
    """What a project takes: one artifact, and all of them together (None: as much as there is)."""

    artifact_bytes: int
    project_bytes: int | None = None


@dataclass(frozen=True)
class UploadPlanner:
    """Answers offers."""

    store: ArtifactStore
    objects: Objects
    owners: Owners
    per_build: int
    per_key: int
    upload_seconds: int

    async def answer(
        self, offer: Offer, agent: str, limits: Limits, now_ms: int, *, is_inside: bool = False
    ) -> Planned:
        """The plan for an agent's offer; the same offer made again continues its upload. Raises Refused.

        What is too large is kept as refused, so that the build's page names it; offered again it is looked at again.

        A build that ingest does not know yet may be the agent's: its bytes are taken, and shown to nobody until ingest
        says so.
        """
        artifact = await self.store.find(offer.artifact_id(agent))
        if artifact is None or not artifact.is_owned:
            fresh = Artifact.of(offer, now_ms, agent=agent)
            owner = (await self.owners.of([offer.build_id])).get(offer.build_id)
            if owner is not None and not is_of(fresh, owner):
                raise Refused("not_yours", "another agent started this build, or in another project")
            if artifact is None:
                await self._check_quotas(offer, agent)
                fresh = fresh.model_copy(update={"is_owned": owner is not None})
                fault = await self._fault(offer, limits)
                if fault is not None:
                    await self._take(fresh.model_copy(update={"state": "refused", "problem": fault}))
                    raise Refused("too_large", fault)
                artifact = await self._take(fresh)
        if artifact.state == "refused" and (fault := await self._fault(offer, limits)) is not None:
            raise Refused("too_large", fault)
        return await self._plan(artifact, offer, now_ms, is_inside=is_inside)

    async def _fault(self, offer: Offer, limits: Limits) -> str | None:
        """Why the project does not take so many bytes; None where it does."""
        if offer.size_bytes > limits.artifact_bytes:
            return f"{offer.size_bytes} bytes; project {offer.project} takes {limits.artifact_bytes}"
        if limits.project_bytes is None:
            return None
        stored_bytes = await self.store.project_bytes(offer.project)
        if stored_bytes + offer.size_bytes <= limits.project_bytes:
            return None
        return (
            f"{offer.size_bytes} bytes; project {offer.project} has {stored_bytes} of the {limits.project_bytes} bytes "
            "of artifacts that it may keep (artifacts_max_bytes)"
        )

    async def _check_quotas(self, offer: Offer, agent: str) -> None:
        own = [known for known in await self.store.of_build(offer.build_id) if known.agent == agent]
        if len(own) >= self.per_build:
            raise Refused("too_many", f"a build uploads at most {self.per_build} artifacts")
        if await self.store.unfinished(agent) >= self.per_key:
            raise Refused("too_many", f"{self.per_key} uploads of this key are unfinished: finish some of them first")

    async def hold(self, offer: Offer, now_ms: int) -> Planned:
        """As `answer`, for another service of the system: no limit refuses it; it is kept until that service is done.

        The requests go to the object store as services reach it.
        """
        artifact = await self.store.find(offer.artifact_id(None))
        if artifact is None:
            artifact = await self._take(Artifact.of(offer, now_ms, agent=None))
        return await self._plan(artifact, offer, now_ms, is_inside=True)

    async def _take(self, artifact: Artifact) -> Artifact:
        return await self.store.add(artifact, unjudged(artifact.build_id, artifact.project, artifact.created_at))

    async def _plan(self, artifact: Artifact, offer: Offer, now_ms: int, *, is_inside: bool) -> Planned:
        newest = artifact

        async def plan() -> Planned | Lost:
            nonlocal newest
            if newest.state in ("verified", "reported"):
                return Planned(newest, [])
            if newest.state == "expired":
                raise Refused("conflict", "this artifact is being removed: offer it again in a minute")
            if _layout(newest) != _layout(offer):
                raise Refused("conflict", "this artifact is being uploaded in parts of another size")
            begun = await self._begin(newest, now_ms)
            if begun is not None:
                try:
                    return Planned(begun, await self.objects.plan(begun, self.upload_seconds, is_inside=is_inside))
                except UploadGone:
                    await self.store.change(begun.become("refused", now_ms, problem="the upload was taken back"))
            found = await self.store.find(newest.id)
            if found is None:
                raise Refused("conflict", "this artifact was removed just now: offer it again")
            newest = found
            return LOST

        return await update("artifacts", f"artifact {artifact.id}", plan)

    async def _begin(self, artifact: Artifact, now_ms: int) -> Artifact | None:
        """The artifact in state `uploading`, touched; None when another request changed it first."""
        is_going_on = artifact.state == "uploading"
        upload_id = artifact.upload_id if is_going_on else None
        if artifact.parts and not is_going_on:
            upload_id = await self.objects.begin(artifact)
        begun = artifact.become("uploading", now_ms, upload_id=upload_id)
        # An upload begun in a lost race is named by no artifact: the sweep aborts it.
        return begun if await self.store.change(begun) else None


def _layout(content: Content) -> tuple[int | None, list[str]]:
    return content.part_size_bytes, content.part_sha256
