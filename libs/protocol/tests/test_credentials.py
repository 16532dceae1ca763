"""The form of generated credentials: whoever mistypes one learns so without asking a server."""

import string

import pytest
from build_protocol.credentials import KEY_PREFIX, TOKEN_PREFIX, is_mistyped, new_id, new_value


@pytest.mark.parametrize("prefix", [KEY_PREFIX, TOKEN_PREFIX])
def test_every_typo_of_a_generated_value_is_noticed(prefix: str) -> None:
    """A character that differs, is missing, is there twice or changed places, anywhere behind the prefix."""
    value = new_value(prefix, new_id())
    assert not is_mistyped(value)

    for place in range(len(prefix) + 1, len(value)):
        other = next(each for each in string.ascii_letters if each != value[place])
        assert is_mistyped(value[:place] + other + value[place + 1 :])
        assert is_mistyped(value[:place] + value[place + 1 :])
        assert is_mistyped(value[:place] + value[place] + value[place:])
        assert is_mistyped(value[:place])
    assert is_mistyped(value + "\n")
    assert is_mistyped(value + "\udcff")


def test_what_somebody_chose_is_not_mistyped() -> None:
    """A key in any other form has no checksum to be held against."""
    assert [False] * 4 == [is_mistyped(value) for value in ("", "bmk", "four geese on a hill", "xbmk_1_2_3")]
