"""The contract of the storage of the bytes, the same for every driver. A key is an artifact's id, never its name."""

from collections.abc import AsyncGenerator
from typing import Protocol

from build_protocol.model import Count, WireModel

from build_artifacts.artifact import Artifact


class NotWhole(Exception):
    """The bytes are not there, or not those that were promised."""


class UploadGone(Exception):
    """The multipart upload an artifact names is no longer known: begin another."""


class Put(WireModel):
    """One request of an upload: PUT bytes `offset` to `offset + size_bytes` of the file with exactly these headers."""

    part: int | None = None
    offset: Count
    size_bytes: Count
    url: str
    headers: dict[str, str]


class Objects(Protocol):
    """The bytes; every method raises StoreUnavailable when they cannot be reached."""

    @property
    def address(self) -> str | None:
        """Where agents and browsers reach the storage; None: through the dashboard."""
        ...

    async def open(self) -> None:
        """Prepare the storage."""
        ...

    async def close(self) -> None:
        """Release it."""
        ...

    async def ping(self) -> None:
        """Return if the storage takes a write: a bucket without a writable volume still answers whoever asks for it."""
        ...

    async def begin(self, artifact: Artifact) -> str:
        """The id of a new multipart upload."""
        ...

    async def plan(self, artifact: Artifact, seconds: int, *, is_inside: bool = False) -> list[Put]:
        """The requests that send what is missing, each valid for `seconds`. Raises UploadGone.

        `is_inside`: addresses as the services reach them, not as agents do.
        Each accepts the promised bytes and no others: length and SHA-256 are part of what is signed.
        """
        ...

    async def seal(self, artifact: Artifact) -> str:
        """Join the parts, then compare size and SHA-256; the receipt. Raises NotWhole. Sealing again is the same."""
        ...

    async def check(self, artifact: Artifact) -> str:
        """Compare what is there now with the receipt, else with size and SHA-256; the receipt of now.

        Raises NotWhole. Of a damaged artifact every byte is read, whatever the storage reports.
        """
        ...

    async def link(self, artifact: Artifact, seconds: int) -> str | None:
        """An address from which anybody may download the bytes for `seconds`, as an attachment.

        None: they are read from here only.
        """
        ...

    async def read(self, artifact: Artifact, begin: int, end: int) -> AsyncGenerator[bytes]:
        """Bytes `begin` to `end` (exclusive) of what the receipt is for; raises NotWhole when it is something else."""
        ...

    async def drop(self, artifact: Artifact) -> None:
        """Delete bytes and parts; dropping what is gone changes nothing."""
        ...

    async def sweep(self, before_at: int) -> int:
        """Abort uploads begun before that time which no artifact names; returns how many."""
        ...
