"""Signing keys: replaced while tokens live."""

from itertools import pairwise

import pytest
from build_chassis import signing
from build_chassis.signing import JWTError, decode, encode, key_id
from build_testkit.signing import SECRET
from jose import jwt

OLD, NEW = SECRET, SECRET[::-1]
CLAIMS = {"iss": "i", "aud": "a", "sub": "s", "exp": 4_000_000_000}


def read(token: str, secret: str) -> str:
    return str(decode(token, secret, audience="a", issuer="i", options={})["sub"])


def test_keys_are_replaced_without_ending_a_token() -> None:
    """At each step of a rotation, old and new instances believe each other's tokens."""
    steps = [OLD, f"{OLD}\n{NEW}", f"{NEW}\n{OLD}"]
    for before, after in pairwise(steps):
        assert ("s", "s") == (read(encode(CLAIMS, before), after), read(encode(CLAIMS, after), before))
    assert read(encode(CLAIMS, steps[-1]), NEW) == "s"


def test_a_key_that_was_taken_out_signs_for_nobody() -> None:
    """The end of a rotation, or of a leaked key."""
    with pytest.raises(JWTError):
        read(encode(CLAIMS, OLD), NEW)


@pytest.mark.parametrize("kid", ["../../x", "' OR 1=1 --", "https://evil/jwk", key_id("another"), 7, {"a": 1}])
def test_only_own_keys_are_looked_up(kid: object) -> None:
    """A `kid` of the sender's making finds nothing, even over a good signature."""
    with pytest.raises(JWTError):
        read(jwt.encode(CLAIMS, OLD, algorithm="HS256", headers={"kid": kid}), OLD)


@pytest.mark.parametrize(
    "extra", [{"jku": "https://evil/keys"}, {"jwk": {"kty": "oct", "k": "eA"}}, {"x5u": "https://evil"}]
)
def test_headers_bring_no_keys(extra: dict[str, object]) -> None:
    """A token that names its own key is checked with ours all the same."""
    token = jwt.encode(CLAIMS, NEW, algorithm="HS256", headers={"kid": key_id(OLD), **extra})
    with pytest.raises(JWTError):
        read(token, OLD)


def test_a_kid_tells_nothing_of_its_key() -> None:
    """It is short, and no beginning of the key or of its plain hash."""
    assert len(key_id(OLD)) == 12
    assert signing.keys_of(f" {OLD} \n\n{NEW}\n") == [OLD, NEW]
