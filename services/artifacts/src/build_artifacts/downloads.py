"""Downloads: bytes are served only while they are the verified ones; those that pass this service are hashed.

Bytes found changed or gone make the artifact `damaged`. It is verified again when its bytes are back.
"""

import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from build_chassis.errors import StoreUnavailable
from build_chassis.store.optimistic import ATTEMPTS, LOST, Lost, update
from build_protocol.clock import Clock

from build_artifacts.artifact import Artifact
from build_artifacts.metrics import Metrics
from build_artifacts.objects import NotWhole, Objects
from build_artifacts.objects.directory import ROUTE
from build_artifacts.objects.streams import Differs, whole
from build_artifacts.objects.ticket import Tickets
from build_artifacts.store import ArtifactStore

log = logging.getLogger("artifacts")

HANDED_OUT = ("verified", "damaged")
"""States in which a download is tried: a damaged artifact may have been restored."""


class Damaged(Exception):
    """What is there now is not what was verified."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}: not handed out. Restore it in the object store, or run the build again")


@dataclass(frozen=True)
class Downloads:
    """Serves artifacts."""

    store: ArtifactStore
    objects: Objects
    tickets: Tickets
    seconds: int
    metrics: Metrics
    clock: Clock

    async def link(self, artifact: Artifact, *, is_inside: bool = False) -> str:
        """An address valid for `seconds`, of bytes that are present and verified now. Raises Damaged.

        `is_inside`: for another service, which reads here, where every request is checked.
        """
        artifact = await self.checked(artifact)
        direct = None if is_inside else await self.objects.link(artifact, self.seconds)
        return direct or ROUTE + self.tickets.issue("get", artifact.id, artifact, self.seconds)

    async def checked(self, artifact: Artifact) -> Artifact:
        """The artifact, verified, with the receipt of what is there now. Raises Damaged."""
        newest = artifact

        async def check() -> Artifact | Lost:
            nonlocal newest
            try:
                receipt = await self.objects.check(newest)
            except NotWhole as error:
                await self.condemn(newest, str(error))
                raise Damaged(_words(str(error))) from error
            if newest.state == "verified" and receipt == newest.receipt:
                return newest
            # Written again with the same bytes, or restored.
            verified = newest.become("verified", self.clock(), receipt=receipt)
            if await self.store.change(verified):
                return verified
            found = await self.store.find(newest.id)
            if found is None or found.state not in HANDED_OUT:
                raise Damaged("it was removed, or is being uploaded again")
            newest = found
            return LOST

        return await update("artifacts", f"artifact {artifact.id}", check)

    async def condemn(self, artifact: Artifact, problem: str) -> None:
        """Mark an artifact as damaged; if another request changed it first, that change stands."""
        if artifact.state == "damaged" or not await self.store.change(
            artifact.become("damaged", self.clock(), problem=_words(problem))
        ):
            return
        self.metrics.damaged.inc()
        log.error("artifact %s of build %s is damaged: %s", artifact.id, artifact.build_id, problem)

    async def open(self, artifact: Artifact, begin: int, end: int) -> AsyncIterator[bytes]:
        """Bytes `begin` to `end` (exclusive). Raises Damaged, here or, when all of them are read, before their end."""
        for _ in range(ATTEMPTS):
            if artifact.state != "verified" or artifact.receipt is None:
                artifact = await self.checked(artifact)
            try:
                body = await self.objects.read(artifact, begin, end)
                if (begin, end) == (0, artifact.size_bytes):
                    body = self._hashed(artifact, body)
                # Read before the answer begins: early damage gets an error answer of its own.
                return _joined(await anext(body, b""), body)
            except NotWhole:
                artifact = await self.checked(artifact)
        raise StoreUnavailable("objects", f"artifact {artifact.id} changes again and again")

    async def _hashed(self, artifact: Artifact, blocks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """The blocks; the last one only if all of them are the artifact. Raises Damaged."""
        try:
            async with aclosing(blocks), aclosing(whole(blocks, artifact.size_bytes, artifact.sha256)) as checked:
                async for block in checked:
                    yield block
        except Differs as error:
            problem = "size or SHA-256 differ"
            await self.condemn(artifact, problem)
            raise Damaged(_words(problem)) from error


def _words(problem: str) -> str:
    return f"these are no longer the bytes that were verified ({problem})"


async def _joined(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for block in rest:
            yield block


class OutOfRange(Exception):
    """No byte of the range exists."""


def span_of(wanted: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The one range a `Range` header asks for, end exclusive; None for any other header. Raises OutOfRange."""
    found = re.fullmatch(r"\s*bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", wanted or "")
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        begin, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        begin, end = int(found[1]), min(size_bytes, int(found[2] or size_bytes) + 1)
        if found[2] and int(found[2]) < begin:
            return None
    if begin >= end:
        raise OutOfRange
    return begin, end
