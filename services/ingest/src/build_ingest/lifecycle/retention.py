"""Retention: old text is dropped here once it is safe in the archive, and old builds are forgotten whole."""

import logging

from build_chassis.retention_guard import RetentionGuard
from build_protocol.clock import DAY_MS
from build_protocol.ids import SHARDS

from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.records import fold
from build_ingest.records.archive_label import ArchiveStep
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import BuildStore, place_at, place_of

BUILDS_AT_ONCE = 20
CHUNKS_AT_ONCE = 100
"""Few enough that no record waits long behind them."""

log = logging.getLogger("ingest")


class Retention:
    """Forgets by the time since builds were received; 0 days of either keeps all.

    Several replicas may do the same beside each other.
    """

    def __init__(
        self,
        store: BuildStore,
        consumer: RecordConsumer,
        artifacts_client: ArtifactsClient | None,
        *,
        keep_days: int,
        hot_days: int,
        guard: RetentionGuard | None = None,
    ) -> None:
        self._store = store
        self._consumer = consumer
        self._artifacts_client = artifacts_client
        self._keep_days = keep_days
        self._hot_days = hot_days
        self._guard = guard

    async def forget_old(self, now_ms: int) -> None:
        """Delete builds older than the store has to keep, and first their archives. Raises StoreUnavailable."""
        if not self._keep_days:
            return
        before_at = now_ms - self._keep_days * DAY_MS
        if self._guard is not None:
            old_count, total = await self._store.count(before_at), await self._store.count()
            if not await self._guard.allows(old=old_count, total=total):
                return
        while old := await self._store.list_forgettable(before_at, BUILDS_AT_ONCE):
            for state in old:
                if state.archive.artifact_id is not None and self._artifacts_client is not None:
                    await self._artifacts_client.expire(state.archive.artifact_id)
            await self._store.forget([state.build.id for state in old])
            log.info("forgot builds=%s older_than_days=%s", len(old), self._keep_days)

    async def cool_old(self, now_ms: int) -> None:
        """Drop the text of archived logs that are no longer hot. Raises StoreUnavailable."""
        if not self._hot_days or self._artifacts_client is None:
            return
        if self._guard is not None and not await self._guard.is_clock_right():
            return
        before = place_at(now_ms - self._hot_days * DAY_MS)
        steps: tuple[ArchiveStep, ...] = ("cooling", "kept")
        for step in steps:
            after = ""
            while old := await self._store.list_archives(step, range(SHARDS), after, BUILDS_AT_ONCE, before=before):
                for state in old:
                    await self._cool(self._artifacts_client, state)
                after = place_of(old[-1].build)

    async def _cool(self, artifacts_client: ArtifactsClient, state: BuildState) -> None:
        """Drop one log's text, if its archive is there; decided in the build's row before the first of it goes."""
        artifact_id = state.archive.artifact_id
        if artifact_id is None or not await artifacts_client.holds(artifact_id):
            log.error("archive is gone build_id=%s artifact=%s", state.build.id, artifact_id)
            # As long as all of the text is here, it is archived anew.
            await self._step(state, "kept", "due")
            return
        if state.archive.step == "kept" and not await self._step(state, "kept", "cooling"):
            return
        while await self._store.drop_text(state.build.id, CHUNKS_AT_ONCE):
            pass
        await self._step(state, "cooling", "cold")

    async def _step(self, state: BuildState, before: ArchiveStep, after: ArchiveStep) -> bool:
        changed = await self._consumer.change(
            state.build.id,
            lambda now: (
                fold.mark_archive(now, now.archive.model_copy(update={"step": after}))
                if now.archive.step == before
                else None
            ),
        )
        return changed is not None
