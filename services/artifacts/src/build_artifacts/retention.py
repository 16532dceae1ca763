"""Retention: old and surplus artifacts lose their bytes and then their rows; unfinished uploads are aborted.

An artifact is marked `expired` before anything of it is deleted, so that the next round finishes what a crash left.
"""

from dataclasses import dataclass

from build_protocol.clock import HOUR_MS

from build_artifacts.artifact import State
from build_artifacts.kept_builds import beyond
from build_artifacts.metrics import Metrics
from build_artifacts.objects import Objects
from build_artifacts.settings import Settings
from build_artifacts.store import ArtifactStore

BATCH = 100
_NEVER_AT = 2**53 - 1


@dataclass(frozen=True)
class Retention:
    """Deletes what is beyond the settings' limits."""

    store: ArtifactStore
    objects: Objects
    settings: Settings
    metrics: Metrics

    async def forget_old(self, now_ms: int) -> None:
        """One round over everything. Repeating it, or two replicas at once, is harmless."""
        await self._expire_beyond_limits(now_ms)
        await self._expire_abandoned(now_ms)
        await self._drop_expired()
        self.metrics.swept.inc(await self.objects.sweep(self._abandoned_at(now_ms)))

    async def _expire_beyond_limits(self, now_ms: int) -> None:
        for lane in await self.store.lanes():
            going = beyond(
                await self.store.kept_builds(lane),
                now_ms=now_ms,
                keep_days=self.settings.keep_days,
                keep_builds=self.settings.keep_builds,
            )
            for note in going:
                for artifact in await self.store.of_build(note.build_id):
                    if artifact.state in ("verified", "damaged", "refused") and not artifact.is_held:
                        await self.store.change(
                            artifact.become("expired", now_ms, upload_id=artifact.upload_id, problem=artifact.problem)
                        )
            # A note outlives its artifacts by one round: they are found through it.
            await self.store.forget_notes([note.build_id for note in going])

    async def _expire_abandoned(self, now_ms: int) -> None:
        states: tuple[State, ...] = ("pending", "uploading", "refused")
        while abandoned := await self.store.untouched(states, self._abandoned_at(now_ms), BATCH):
            for artifact in abandoned:
                await self.store.change(artifact.become("expired", now_ms, upload_id=artifact.upload_id))

    async def _drop_expired(self) -> None:
        while expired := await self.store.untouched(["expired"], _NEVER_AT, BATCH):
            for artifact in expired:
                await self.objects.drop(artifact)
            await self.store.forget([artifact.id for artifact in expired])
            self.metrics.forgotten.inc(len(expired))

    def _abandoned_at(self, now_ms: int) -> int:
        return now_ms - self.settings.abandoned_hours * HOUR_MS
