"""The archivist: works the list of archives, which are in the builds' own rows. Behind storing, and never before it.

An archive's id is in its build's row before the first byte of it is sent, and every step may be made again: whoever
dies between two of them is followed by somebody who makes the same file, or lets go of the other one first.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from build_chassis.backoff import Backoff
from build_chassis.errors import StoreUnavailable
from build_chassis.supervisor import Duty

from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.archive.seekable import FrameWriter, Torn
from build_ingest.intake.consumer import RecordConsumer
from build_ingest.metrics import Metrics
from build_ingest.records import fold
from build_ingest.records.archive_label import Archive
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import BuildStore, StoredChunkMissing, place_of

LOOK_SECONDS = 2.0
BUILDS_PER_LOOK = 20
CHUNKS_PER_READ = 32
FAILURES_IN_A_ROW = 3
"""After so many the artifacts service is taken to be away, and not these builds to be odd."""

MEMORY_BYTES = 4 * 1024 * 1024
"""A larger archive is made in a temporary file."""

log = logging.getLogger("ingest")


class Archivist:
    """Brings the logs of ended builds of this replica's shards to the artifacts service."""

    def __init__(
        self,
        store: BuildStore,
        consumer: RecordConsumer,
        artifacts_client: ArtifactsClient,
        metrics: Metrics,
        shards: Callable[[], Collection[int]],
    ) -> None:
        self._store = store
        self._consumer = consumer
        self._artifacts_client = artifacts_client
        self._metrics = metrics
        self._shards = shards
        self._after = ""
        """Place of the build that was tried last."""

    def duties(self) -> Sequence[Duty]:
        """What the supervisor runs: while the artifacts service is away, it looks less and less often."""
        return (Duty("archive logs", self.bring_due, LOOK_SECONDS, backoff=partial(Backoff, LOOK_SECONDS, 300.0)),)

    async def bring_due(self) -> None:
        """Bring every archive that is due, oldest build first. Raises StoreUnavailable after some that failed in a row.

        The next call goes on behind them, so that one that cannot be brought holds up none of the others.
        """
        failed = 0
        while due := await self._store.list_archives("due", tuple(self._shards()), self._after, BUILDS_PER_LOOK):
            for state in due:
                self._after = place_of(state.build)
                try:
                    await self.bring(state)
                    failed = 0
                except (StoreUnavailable, StoredChunkMissing, Torn) as error:
                    self._metrics.archive_errors.inc()
                    log.warning("not archived build_id=%s reason=%s", state.build.id, error)
                    failed += 1
                    if failed == FAILURES_IN_A_ROW:
                        raise StoreUnavailable("archive", error) from error
        self._after = ""

    async def bring(self, state: BuildState) -> None:
        """Bring one build's log; key artifact id. Raises StoreUnavailable, and Torn where its chunks do not join."""
        build = state.build
        with SpooledTemporaryFile(MEMORY_BYTES) as spooled:
            file = cast("BinaryIO", spooled)
            await self._write(state, file)
            plan = await self._artifacts_client.offer(build, file)
            before = state.archive.artifact_id
            if before not in (None, plan.artifact_id):
                # Made by somebody who died, before chunks were merged: the same text in other frames.
                await self._artifacts_client.expire(str(before))
            size_bytes = file.seek(0, 2)
            label = Archive(step="due", artifact_id=plan.artifact_id, size_bytes=size_bytes)
            if before != plan.artifact_id and not await self._label(build.id, before, label):
                return
            for put in plan.puts:
                file.seek(put["offset"])
                await self._artifacts_client.put(put, file.read(put["sizeBytes"]))
            await self._artifacts_client.verify(plan.artifact_id)
            await self._label(build.id, plan.artifact_id, label.model_copy(update={"step": "kept"}))
        self._metrics.archived.inc()
        log.info("archived build_id=%s bytes=%s artifact=%s", build.id, size_bytes, plan.artifact_id)

    async def _label(self, build_id: str, artifact_id: str | None, archive: Archive) -> bool:
        """Write the label of a build that is due; False when somebody else has written another artifact's meanwhile."""

        def decide(now: BuildState) -> BuildState | None:
            is_ours = now.archive.step == "due" and now.archive.artifact_id == artifact_id
            return fold.mark_archive(now, archive) if is_ours else None

        return await self._consumer.change(build_id, decide) is not None

    async def _write(self, state: BuildState, file: BinaryIO) -> None:
        """Write the archive's file. Its frames are the store's: nothing is packed again."""
        writer = FrameWriter()
        seq = 0
        while seq < state.applied:
            chunks = await self._store.read_chunks(state.build.id, "seq", seq + 1, CHUNKS_PER_READ)
            if not chunks:
                break
            frames = [frame.packed for frame in writer.frames_of(chunks)]
            await asyncio.to_thread(file.writelines, frames)
            seq = chunks[-1].last_seq
        if writer.text_bytes != state.build.log_bytes:
            raise Torn(f"build {state.build.id}: {writer.text_bytes} of {state.build.log_bytes} bytes are here")
        file.writelines(writer.end())
