"""Retention: old and surplus artifacts lose their bytes and then their rows; unfinished uploads are aborted.

An artifact is marked `expired` before anything of it is deleted, so that the next round finishes what a crash left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from build_chassis.retention_guard import RetentionGuard
from build_protocol.clock import DAY_MS, HOUR_MS

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
    guard: RetentionGuard | None = None

    async def forget_old(self, now_ms: int) -> None:
        """One round over everything. Repeating it, or two replicas at once, is harmless."""
        lanes = await self.store.lanes()
        if self.guard is not None:
            counts = [await self._count(lane, now_ms) for lane in lanes]
            if not await self.guard.allows(old=sum(old for old, _ in counts), total=sum(all_ for _, all_ in counts)):
                return
        await self._expire_beyond_limits(lanes, now_ms)
        await self._expire_abandoned(now_ms)
        await self._drop_expired()
        self.metrics.swept.inc(await self.objects.sweep(self._abandoned_at(now_ms)))

    async def _count(self, lane: str, now_ms: int) -> tuple[int, int]:
        """How many builds of a lane are to go by age, and how many there are."""
        kept_builds = await self.store.kept_builds(lane)
        oldest_at = now_ms - self.settings.keep_days * DAY_MS
        return sum(kept.note.kept_from < oldest_at for kept in kept_builds), len(kept_builds)

    async def _expire_beyond_limits(self, lanes: Sequence[str], now_ms: int) -> None:
        for lane in lanes:
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
