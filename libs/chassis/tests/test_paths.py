"""Paths: what two programs could read as two paths goes nowhere, and what goes on names what was sent."""

import httpx
import pytest
from build_chassis.paths import BadPath, build, check, read
from hypothesis import given
from hypothesis import strategies as st

CLIMBS = [
    "..",
    ".",
    "...",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "%252e%252e",
    "%25252e%25252e",
    "%2525252525252e",
    "..%20",
    "..;",
    "..;a=b",
    "%2e%2e%3bx",
    "%2e%2e%3fx",
    "..%23",
    "..%253f",
    ";x",
    "%20",
    "..%2f..%2finternal",
    "..%2F",
    "%2f",
    "%252f",
    "a%2fb",
    "..%5c..",
    "%5c",
    "%255c",
    "..\\",
    "%c0%ae%c0%ae",
    "%e0%80%ae",
    "%25c0%25ae",
    "%c0%af",
    "%ff",
    "%00",
    "a%00b",
    "%2500",
    "%0d%0aX:%201",
    "%7f",
    "%ef%bc%8e%ef%bc%8e",
    "%e2%80%a5",
    "%e2%80%a6",
    "%ef%bc%8f",
    "%ef%bc%bc",
    "%",
    "%2",
    "%zz",
    "%u002e",
    "#x",
]
"""Names of which somebody's decoder makes a way up, another path, or the end of one."""

NAMES = [
    "a",
    "a.b",
    ".hidden",
    "a..b",
    "%20a",
    "a;b",
    "a%3fb",
    "a%23b",
    "%23123-fix",
    "100%25",
    "%C3%BC",
    "compile%3A0011223344556677",
]
"""Names, however odd, that stay what they are."""


@pytest.mark.parametrize("climb", CLIMBS)
def test_what_could_climb_is_refused(climb: str) -> None:
    """At the beginning, in the middle and at the end of a path."""
    for path in (f"/{climb}", f"/api/builds/{climb}/logs", f"/api/builds/{climb}", f"/api/builds/{climb}/"):
        with pytest.raises(BadPath):
            read(path.encode())


@pytest.mark.parametrize(
    "target", ["", "*", "http://host/api/../metrics", "host:80", "//metrics", "/api//metrics", "/api///"]
)
def test_what_is_no_plain_path_is_refused(target: str) -> None:
    """Whole addresses, `*`, and paths with empty names."""
    with pytest.raises(BadPath):
        read(target.encode())


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_pass_as_they_are(name: str) -> None:
    """What was sent once encoded goes on once encoded, and means the same."""
    segments = read(f"/api/{name}/x".encode())

    assert read(build(segments).encode()) == segments
    assert len(segments) == 3


def test_a_path_may_end_in_a_slash() -> None:
    """The root does, and the page's paths may; what goes on to a service does not."""
    assert read(b"/") == [""]
    assert read(b"/builds/7/") == ["builds", "7", ""]
    with pytest.raises(BadPath):
        build(["api", ""])


@given(
    st.lists(st.text(st.characters(), max_size=12) | st.sampled_from(["..", "%2e%2e", "?x", "#x", "a/b"]), min_size=1)
)
def test_no_name_becomes_another_path(segments: list[str]) -> None:
    """Whatever the names are: refused, or a client that tidies paths sends exactly these, read alike on arrival."""
    try:
        path = build(["api", *segments])
    except ValueError:
        return
    sent = httpx.Request("GET", httpx.URL("http://service").join(path)).url.raw_path

    assert sent == path.encode()
    assert read(sent) == ["api", *segments]


@given(st.binary(max_size=40))
def test_no_bytes_break_the_reading(raw: bytes) -> None:
    """Any bytes are names, each good by itself, or refused."""
    try:
        segments = read(b"/" + raw)
    except BadPath:
        return
    for segment in segments[:-1]:
        check(segment)


def test_what_is_encoded_again_and_again_is_not_unfolded() -> None:
    """A name of 60 kB that is encoded twenty thousand times over is refused after a few looks."""
    with pytest.raises(BadPath, match="once"):
        read(b"/%" + b"25" * 30_000 + b"41")
