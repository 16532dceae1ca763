"""Blocks: pieces of archives that were read lately. Pages of one log ask for the same bytes again and again."""

from collections import OrderedDict

from build_ingest.archive.artifacts_client import ArtifactsClient

BLOCK_BYTES = 256 * 1024
BLOCKS_KEPT = 64
"""16 MiB in all."""


class Blocks:
    """Reads ranges of archives, block by block."""

    def __init__(self, artifacts_client: ArtifactsClient) -> None:
        self._artifacts_client = artifacts_client
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    async def read(self, artifact_id: str, size_bytes: int, begin: int, end: int) -> bytes:
        """Bytes `begin` to `end` (exclusive) of an archive of that size. Raises StoreUnavailable."""
        numbers = range(begin // BLOCK_BYTES, -(-end // BLOCK_BYTES))
        found = {number: self._find(artifact_id, number) for number in numbers}
        missing = [number for number, block in found.items() if block is None]
        if missing:
            # From the first to the last in one request: between two that are kept there seldom is one that is not.
            at, until = missing[0] * BLOCK_BYTES, min(size_bytes, (missing[-1] + 1) * BLOCK_BYTES)
            read = await self._artifacts_client.read(artifact_id, at, until)
            for number in range(missing[0], missing[-1] + 1):
                piece = read[number * BLOCK_BYTES - at : (number + 1) * BLOCK_BYTES - at]
                found[number] = piece
                self._keep(artifact_id, number, piece)
        joined = b"".join(block for number in numbers if (block := found[number]) is not None)
        skip = begin - numbers.start * BLOCK_BYTES
        return joined[skip : skip + end - begin]

    def _find(self, artifact_id: str, number: int) -> bytes | None:
        block = self._kept.get((artifact_id, number))
        if block is not None:
            self._kept.move_to_end((artifact_id, number))
        return block

    def _keep(self, artifact_id: str, number: int, block: bytes) -> None:
        self._kept[artifact_id, number] = block
        self._kept.move_to_end((artifact_id, number))
        while len(self._kept) > BLOCKS_KEPT:
            self._kept.popitem(last=False)
