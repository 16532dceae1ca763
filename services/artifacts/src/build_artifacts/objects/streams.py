"""Streams of bytes whose size, and often whose digest, was promised."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator

from build_chassis.concurrency import in_thread_if_large

from build_artifacts.objects.contract import NotWhole

LARGE_BYTES = 256 * 1024
"""From this size on a chunk's digest costs more than handing it to a thread."""


class Differs(NotWhole):
    """These are other bytes than were promised."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"these are not the {size_bytes} bytes promised: size or SHA-256 differ")


async def whole(body: AsyncIterator[bytes], size_bytes: int, sha256: str | None = None) -> AsyncGenerator[bytes]:
    """The body as it arrives, its last chunk only if all of it is as promised. Raises Differs as soon as it is not.

    Without `sha256` only the size is looked at.
    """
    digest, left, held = hashlib.sha256(), size_bytes, b""
    async for chunk in body:
        left -= len(chunk)
        if left < 0:
            break
        if held:
            yield held
        if sha256 is not None:
            await in_thread_if_large(len(chunk), LARGE_BYTES, digest.update, chunk)
        held = chunk
    if left or sha256 not in (None, digest.hexdigest()):
        raise Differs(size_bytes)
    if held:
        yield held
