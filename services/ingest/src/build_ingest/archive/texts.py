"""Texts: a build's chunks with their text, wherever it is: here, or in its archive."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import zstandard
from build_chassis.errors import StoreUnavailable

from build_ingest.archive.artifacts_client import ArtifactsClient
from build_ingest.archive.blocks import Blocks
from build_ingest.archive.seekable import FOOTER_BYTES, NotAnArchive, Span, Table, table_bytes
from build_ingest.records.archive_label import Archive
from build_ingest.records.chunk import Chunk, compress
from build_ingest.store.contract import BuildStore, Following

TABLES_KEPT = 50
FAST_LEVEL = 1
"""Text that is packed only to be unpacked by whoever asked."""


class Texts:
    """Reads chunks; what was dropped here is filled in from the archive."""

    def __init__(self, store: BuildStore, artifacts_client: ArtifactsClient | None) -> None:
        self._store = store
        self._blocks = None if artifacts_client is None else Blocks(artifacts_client)
        self._tables: OrderedDict[str, Table] = OrderedDict()

    async def read_chunks(self, build_id: str, by: Following, at: int, limit: int) -> list[Chunk]:
        """Chunks in order, from the one that holds `at` on, all with their text. Raises StoreUnavailable."""
        chunks = await self._store.read_chunks(build_id, by, at, limit)
        cold = [chunk for chunk in chunks if chunk.is_cold and chunk.text_bytes]
        if not cold:
            return [replace(chunk, text=_EMPTY) if chunk.is_cold else chunk for chunk in chunks]
        state = await self._store.find(build_id)
        archive = Archive() if state is None else state.archive
        if self._blocks is None or archive.artifact_id is None:
            raise StoreUnavailable("archive", f"the log of build {build_id} is archived, and no archive is set up")
        try:
            table = await self._table(self._blocks, archive.artifact_id, archive.size_bytes)
            span = table.span(cold[0].first_byte, cold[-1].end_byte)
            raw = await self._blocks.read(archive.artifact_id, archive.size_bytes, span.file_begin, span.file_end)
            return await asyncio.to_thread(_filled, chunks, span, raw)
        except (NotAnArchive, zstandard.ZstdError) as error:
            raise StoreUnavailable("archive", f"the archive of build {build_id} is damaged: {error}") from error

    async def _table(self, blocks: Blocks, artifact_id: str, size_bytes: int) -> Table:
        table = self._tables.get(artifact_id)
        if table is None:
            footer = await blocks.read(artifact_id, size_bytes, size_bytes - FOOTER_BYTES, size_bytes)
            begin = size_bytes - table_bytes(footer)
            table = Table.read(await blocks.read(artifact_id, size_bytes, begin, size_bytes))
            self._tables[artifact_id] = table
        self._tables.move_to_end(artifact_id)
        while len(self._tables) > TABLES_KEPT:
            self._tables.popitem(last=False)
        return table


_EMPTY = compress(b"", FAST_LEVEL)


def _filled(chunks: Sequence[Chunk], span: Span, raw: bytes) -> list[Chunk]:
    text = span.text(raw)
    return [
        replace(
            chunk,
            text=compress(text[chunk.first_byte - span.text_begin : chunk.end_byte - span.text_begin], FAST_LEVEL),
        )
        if chunk.is_cold
        else chunk
        for chunk in chunks
    ]
