"""Deliveries of `artifacts.builds`: a reported upload is verified and announced; a verdict is noted for retention.

Each step may be repeated: sealing again is the same, a verified artifact is announced again under the same id.
"""

import logging
from collections.abc import Callable, Sequence

from build_chassis.bus import Bus, Delivery, Outgoing
from build_chassis.concurrency import bounded_gather
from build_chassis.failpoints import fail_at
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.messages import ArtifactReady, ArtifactReadyData, ArtifactUploaded, BuildVerdict, build_message
from build_protocol.topology import routing_key

from build_artifacts.artifact import Artifact
from build_artifacts.kept_builds import judged
from build_artifacts.metrics import Metrics
from build_artifacts.objects import NotWhole, Objects
from build_artifacts.store import ArtifactStore

log = logging.getLogger("artifacts")

AT_ONCE = 8
"""Verifications that run concurrently: each waits for the object store."""


class ArtifactConsumer:
    """Verifies what agents report as uploaded."""

    def __init__(
        self, store: ArtifactStore, objects: Objects, bus: Bus, metrics: Metrics, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._objects = objects
        self._bus = bus
        self._metrics = metrics
        self._clock = clock

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Handle a batch; raises ValidationError for a message that can never be read, StoreUnavailable to retry."""
        messages = [build_message.validate_json(delivery.body) for delivery in deliveries]
        for message in messages:
            if isinstance(message, BuildVerdict):
                await self._store.note(judged(message))

        async def receive(message: ArtifactUploaded) -> Artifact | None:
            return await self._receive(message.data.artifact_id, message.build_id, message.project)

        uploaded = [message for message in messages if isinstance(message, ArtifactUploaded)]
        ready = await bounded_gather(uploaded, receive, at_once=AT_ONCE)
        if uploaded:
            fail_at("artifacts.verified")
        await self._bus.publish([self._announcement(artifact) for artifact in ready if artifact is not None])

    async def verify(self, artifact: Artifact) -> None:
        """Verify what another service holds here: the answer is its announcement. Repeating it changes nothing."""
        await self._receive(artifact.id, artifact.build_id, artifact.project)

    async def _receive(self, artifact_id: str, build_id: str, project: str) -> Artifact | None:
        """The artifact, verified; None when there is nothing to announce."""

        async def verify() -> Artifact | Lost | None:
            artifact = await self._store.find(artifact_id)
            if artifact is None or (artifact.build_id, artifact.project) != (build_id, project):
                # The reporter made the id up, or the artifact was deleted meanwhile.
                self._metrics.uploads.labels("unknown").inc()
                log.warning("build %s reported an artifact that was never planned", build_id)
                return None
            if artifact.state == "verified":
                return artifact
            if artifact.state == "expired":
                return None
            judgement = await self._judge(artifact)
            if not await self._store.change(judgement):
                return LOST
            self._metrics.uploads.labels(judgement.state).inc()
            return judgement if judgement.state == "verified" else None

        return await update("artifacts", f"artifact {artifact_id}", verify)

    async def _judge(self, artifact: Artifact) -> Artifact:
        try:
            receipt = await self._objects.seal(artifact)
        except NotWhole as error:
            log.warning("refused artifact %s of build %s: %s", artifact.id, artifact.build_id, error)
            return artifact.become("refused", self._clock(), upload_id=artifact.upload_id, problem=str(error))
        return artifact.become("verified", self._clock(), receipt=receipt)

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
