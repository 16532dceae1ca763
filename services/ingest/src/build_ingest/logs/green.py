"""The lines of a green log, as templates: read in pieces, off the loop."""

import asyncio

from build_analysis.green_lines import GreenLines

from build_ingest.logs.pages import stream_text
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import ChunkSource

READ_BYTES = 32 * 1024 * 1024
"""So much of a log is read; its templates are full long before."""


async def lines_of(texts: ChunkSource, state: BuildState) -> GreenLines:
    """What a build that went well printed. Raises StoreUnavailable."""
    lines, rest = GreenLines(), ""
    async for text in stream_text(texts, state, 0, min(state.build.log_bytes, READ_BYTES)):
        *whole, rest = (rest + text.decode("utf-8", "replace")).split("\n")
        await asyncio.to_thread(lines.learn, whole)
        if lines.is_full:
            break
    lines.learn([rest])
    return lines
