"""Deliveries of `artifacts.builds`: a reported upload is verified and announced; a verdict is noted for retention.

Each step may be repeated: sealing again is the same, a verified artifact is announced again under the same id.

Nobody but the agent that offered it reports an artifact, and it is verified once ingest has that agent as the build's.
What is reported before ingest knows the build waits in state `reported`, and holds up nothing.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from build_chassis.bus import Bus, Delivery, Outgoing
from build_chassis.concurrency import bounded_gather
from build_chassis.failpoints import fail_at
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.clock import HOUR_MS
from build_protocol.messages import ArtifactReady, ArtifactReadyData, ArtifactUploaded, BuildVerdict, build_message
from build_protocol.topology import routing_key
from build_protocol.views import StoredBuild

from build_artifacts.artifact import Artifact
from build_artifacts.kept_builds import judged
from build_artifacts.metrics import Metrics
from build_artifacts.objects import NotWhole, Objects
from build_artifacts.owners import Owners, is_of
from build_artifacts.settings import Settings
from build_artifacts.store import ArtifactStore

log = logging.getLogger("artifacts")

REPORTED_SECONDS = 2.0
"""How often it is asked again whose the builds are of what was reported early."""

WAITING = 100
"""Of what was reported early so many are looked at in one round, those that wait longest first."""

AT_ONCE = 8
"""Verifications that run concurrently: each waits for the object store."""


NOT_YOURS = "another agent started this build"


@dataclass(frozen=True, slots=True)
class Report:
    """An upload that is reported as done. `agent` is who the gateway authenticated; None: a service."""

    artifact_id: str
    build_id: str
    project: str
    agent: str | None

    def is_of(self, artifact: Artifact) -> bool:
        """Whether the artifact is the reporter's, and its build the reported one."""
        known = (artifact.build_id, artifact.project, artifact.agent)
        return known == (self.build_id, self.project, self.agent)


class ArtifactConsumer:
    """Verifies what agents report as uploaded."""

    def __init__(
        self,
        store: ArtifactStore,
        objects: Objects,
        bus: Bus,
        *,
        owners: Owners,
        metrics: Metrics,
        settings: Settings,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._objects = objects
        self._bus = bus
        self._owners = owners
        self._metrics = metrics
        self._clock = clock
        self._abandoned_ms = settings.abandoned_hours * HOUR_MS

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Handle a batch; raises ValidationError for a message that can never be read, StoreUnavailable to retry."""
        messages = [(build_message.validate_json(delivery.body), delivery.headers) for delivery in deliveries]
        for message, _ in messages:
            if isinstance(message, BuildVerdict):
                await self._store.note(judged(message))
        uploaded = [
            Report(message.data.artifact_id, message.build_id, message.project, headers.get("agent", ""))
            for message, headers in messages
            if isinstance(message, ArtifactUploaded)
        ]
        if not uploaded:
            return
        owners = await self._owners.of({report.build_id for report in uploaded})
        ready = await bounded_gather(uploaded, partial(self._receive, owners=owners), at_once=AT_ONCE)
        fail_at("artifacts.verified")
        await self._bus.publish([self._announcement(artifact) for artifact in ready if artifact is not None])

    async def verify(self, artifact: Artifact) -> None:
        """Verify what another service holds here: the answer is its announcement. Repeating it changes nothing."""
        await self._receive(Report(artifact.id, artifact.build_id, artifact.project, None), owners={})

    async def verify_reported(self) -> None:
        """Verify what was reported before ingest knew the build, as far as it does now. Repeating it is harmless."""
        waiting = await self._store.untouched(["reported"], self._clock() + 1, WAITING)
        owners = await self._owners.of({artifact.build_id for artifact in waiting})
        for artifact in waiting:
            report = Report(artifact.id, artifact.build_id, artifact.project, artifact.agent)
            if artifact.build_id in owners:
                # Announced on the way, so that a crash repeats it, and once more when readers find it verified.
                ready = await self._receive(report, owners=owners, announce=self._announce)
                if ready is not None:
                    await self._announce(ready)
            else:
                await self._store.change(self._waits(artifact))

    async def _receive(
        self,
        report: "Report",
        owners: Mapping[str, StoredBuild],
        announce: Callable[[Artifact], Awaitable[None]] | None = None,
    ) -> Artifact | None:
        """The artifact, verified; None when there is nothing to announce. `announce` comes before that is stored."""

        async def verify() -> Artifact | Lost | None:
            artifact = await self._store.find(report.artifact_id)
            if artifact is None or not report.is_of(artifact):
                # The reporter made the id up, or the artifact was deleted meanwhile.
                self._metrics.uploads.labels("unknown").inc()
                log.warning("build %s reported an artifact that was never planned", report.build_id)
                return None
            if artifact.state == "verified":
                return artifact
            if artifact.state == "expired":
                return None
            judgement = await self._judge(artifact, owners.get(artifact.build_id))
            if announce is not None and judgement.state == "verified":
                await announce(judgement)
            if not await self._store.change(judgement):
                return LOST
            self._metrics.uploads.labels(judgement.state).inc()
            return judgement if judgement.state == "verified" else None

        return await update("artifacts", f"artifact {report.artifact_id}", verify)

    async def _judge(self, artifact: Artifact, owner: StoredBuild | None) -> Artifact:
        if not (artifact.is_owned or artifact.is_held):
            if owner is None:
                return self._waits(artifact)
            if not is_of(artifact, owner):
                log.warning("refused artifact %s of agent %s: %s", artifact.id, artifact.agent, NOT_YOURS)
                return artifact.become("refused", self._clock(), upload_id=artifact.upload_id, problem=NOT_YOURS)
            artifact = artifact.model_copy(update={"is_owned": True})
        try:
            receipt = await self._objects.seal(artifact)
        except NotWhole as error:
            log.warning("refused artifact %s of build %s: %s", artifact.id, artifact.build_id, error)
            return artifact.become("refused", self._clock(), upload_id=artifact.upload_id, problem=str(error))
        return artifact.become("verified", self._clock(), receipt=receipt)

    def _waits(self, artifact: Artifact) -> Artifact:
        """Touched, so that those behind it have their turn; refused when no build came in all the time."""
        now_ms = self._clock()
        if now_ms - artifact.created_at < self._abandoned_ms:
            return artifact.become("reported", now_ms, upload_id=artifact.upload_id)
        return artifact.become("refused", now_ms, upload_id=artifact.upload_id, problem="its build never came")

    async def _announce(self, artifact: Artifact) -> None:
        await self._bus.publish([self._announcement(artifact)])

    def _announcement(self, artifact: Artifact) -> Outgoing:
        data = ArtifactReadyData(
            artifact_id=artifact.id,
            name=artifact.name,
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            content_type=artifact.content_type,
        )
        message = ArtifactReady(
            build_id=artifact.build_id, project=artifact.project, timestamp=self._clock(), data=data
        )
        key = routing_key(message.type, message.build_id, message.project)
        headers = {"message_id": f"{message.type}.{artifact.id}", "build_id": artifact.build_id}
        return Outgoing(key, message.to_json().encode(), headers)
