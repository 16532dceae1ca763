"""Cursors lead from page to page; one that was made up is refused."""

from base64 import urlsafe_b64encode

import pytest
from build_chassis.pagination import BadCursor, decode_cursor, encode_cursor


@pytest.mark.parametrize(("rank", "key"), [(0, ""), (1_700_000_000_000, "0197:a:b"), (-1, "k")])
def test_a_cursor_comes_back_as_it_was_given_out(rank: int, key: str) -> None:
    """Without characters that an address would have to escape."""
    cursor = encode_cursor(rank, key)

    assert (rank, key) == decode_cursor(cursor)
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "####",
        urlsafe_b64encode(b"no rank").decode(),
        urlsafe_b64encode("\u00e9:k".encode()).decode(),
        encode_cursor(2**63, "k"),
        encode_cursor(-(2**63), "k"),
        urlsafe_b64encode(b"9" * 5000 + b":k").decode(),
    ],
)
def test_anything_else_is_no_cursor(cursor: str) -> None:
    """The sentence says what to do."""
    with pytest.raises(BadCursor, match="ask again without it"):
        decode_cursor(cursor)
