"""Identifiers: UUIDv7 build ids and the shard a build belongs to, for life."""

import os
import zlib
from uuid import UUID

SHARDS = 8
"""Number of ingest shards, for life: a build's shard is part of every routing key already stored."""


def new_build_id(now_ms: int, random: bytes | None = None) -> str:
    """A UUIDv7 (RFC 9562): sorts by `now_ms` (milliseconds since the Unix epoch), unique by 74 random bits."""
    noise = int.from_bytes(os.urandom(10) if random is None else random[:10], "big")
    value = (
        (now_ms & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (noise >> 62 & 0xFFF) << 64 | 0b10 << 62 | noise & (2**62 - 1)
    )
    return str(UUID(int=value))


def shard_of(build_id: str) -> int:
    """The shard (0 to 7) whose ingest queue carries every message of this build, in order."""
    return zlib.crc32(build_id.encode()) % SHARDS
