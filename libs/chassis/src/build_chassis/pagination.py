"""Pagination: a cursor says where the next page of a listing begins, opaque to whoever carries it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from build_chassis.errors import Invalid

INT64 = 2**63 - 1


class BadCursor(Invalid):
    """The cursor is not one of ours."""

    def __init__(self) -> None:
        super().__init__("cursor: not one this service gave out; ask again without it")


def encode_cursor(rank: int, key: str) -> str:
    """The cursor behind a row of a listing.

    Args:
        rank: The row's place in the listing's order.
        key: The row's key, which orders rows of equal rank.
    """
    return urlsafe_b64encode(f"{rank}:{key}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[int, str]:
    """The rank and key of the last row seen, from a cursor.

    Raises:
        BadCursor: The cursor is not one of ours.
    """
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        rank, _, key = text.partition(":")
        place = int(rank)
    except ValueError as error:
        raise BadCursor from error
    if abs(place) > INT64:
        raise BadCursor  # no store compares with it
    return place, key
