"""Fitting lists into records: as many items as one may carry."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

LIST_BYTES = 20 * 1024
"""What the lists of one record may take, encoded; the rest is for what stands around them."""


def chunks(items: Iterable[Any], count: int, limit_bytes: int = LIST_BYTES) -> Iterator[list[Any]]:
    """The items in order, in lists of at most so many, each at most this long when encoded."""
    chunk: list[Any] = []
    size = 0
    for item in items:
        length = encoded_bytes(item) + 1
        if chunk and (len(chunk) >= count or size + length > limit_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += length
    if chunk:
        yield chunk


def fitting(items: Iterable[Any], count: int, limit_bytes: int = LIST_BYTES) -> list[Any]:
    """The first items, as many as one record carries."""
    return next(chunks(items, count, limit_bytes), [])


def encoded_bytes(item: Any) -> int:
    """How long this is on the wire."""
    return len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))
