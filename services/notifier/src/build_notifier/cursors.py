"""Cursors: where the next page of a listing begins, opaque to whoever carries it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


class BadCursor(ValueError):
    """The cursor is not one of ours."""

    def __init__(self) -> None:
        super().__init__("cursor: not one this service gave out; ask again without it")


def encode(created_ms: int, key: str) -> str:
    """The cursor behind the row of this time and key."""
    return urlsafe_b64encode(f"{created_ms}:{key}".encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[int, str]:
    """The time and key of the last row seen; raises BadCursor."""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        created_ms, _, key = text.partition(":")
        return int(created_ms), key
    except ValueError as error:
        raise BadCursor from error
