"""Identifiers: UUIDv7 build ids, how people name a build by them, and the shard a build belongs to, for life."""

import zlib
from typing import NamedTuple

from build_protocol.new_id import new_build_id

__all__ = ["BadBuildName", "BuildName", "new_build_id", "read_build_name", "shard_of", "shard_of_branch", "short_id"]

SHARDS = 8
"""Number of ingest shards, for life: a build's shard is part of every routing key already stored."""

SHORT_DIGITS = 8
"""Of an id's end, wherever it is printed short: builds started within a minute share their first 8 digits."""

LEAST_DIGITS = 6
"""What a name needs: ingest's stores keep an index of so many digits of every id's end."""

_ID_DIGITS = 32
_QUOTED = 80


class BadBuildName(ValueError):
    """No build can be named so; reads as a sentence that says what would do."""


class BuildName(NamedTuple):
    """What somebody called a build by, spelled as ids are. The page has a twin of this rule, `builds/build-id.ts`.

    A name is a whole id, or 6 or more digits that are its beginning or its end, in any case, with or without dashes.
    Who looks a build up by one takes it only if no other build answers to it.
    """

    beginning: str
    end: str

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole id, which is of one build at most."""
        return len(self.beginning) == _ID_DIGITS + 4

    def names(self, build_id: str) -> bool:
        """Whether the build answers to this name."""
        return build_id.startswith(self.beginning) or build_id.endswith(self.end)


def read_build_name(text: str) -> BuildName:
    """The name in what somebody typed or pasted.

    Args:
        text: A whole id, or 6 or more hex digits of its beginning or end, in any case, with or without dashes.

    Returns:
        The name, spelled as ids are.

    Raises:
        BadBuildName: No build can be named so; the text says what would do.
    """
    digits = text.strip().replace("-", "").lower()
    quoted = repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")
    if not digits or not set(digits) <= set("0123456789abcdef"):
        raise BadBuildName(f"{quoted} is no build id: give its hex digits, the last {SHORT_DIGITS} will do")
    if len(digits) < LEAST_DIGITS:
        raise BadBuildName(f"{quoted} is too short: give at least {LEAST_DIGITS} digits of the id's beginning or end")
    if len(digits) > _ID_DIGITS:
        raise BadBuildName(f"{quoted} is no build id: it has {len(digits)} digits, an id has {_ID_DIGITS}")
    return BuildName(_dashed(digits.ljust(_ID_DIGITS)).rstrip(" -"), _dashed(digits.rjust(_ID_DIGITS)).lstrip(" -"))


def short_id(build_id: str) -> str:
    """A build's id as people are shown it: its end, which differs where beginnings are the same."""
    return build_id[-SHORT_DIGITS:]


def _dashed(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def shard_of(build_id: str) -> int:
    """The ingest shard whose queue carries every message of a build, in order.

    Args:
        build_id: The build's whole id.

    Returns:
        The shard, from 0 to `SHARDS` - 1; the same for ever.
    """
    return zlib.crc32(build_id.encode()) % SHARDS


def shard_of_branch(project: str, branch: str | None) -> int:
    """The shard (0 to 7) that carries every message of this branch, in order."""
    return zlib.crc32(f"{project}\x1f{branch or ''}".encode()) % SHARDS
