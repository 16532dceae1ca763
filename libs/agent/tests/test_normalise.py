"""The rules of `docs/agent.md` for turning output into lines."""

from itertools import pairwise

import pytest
from build_dashboard.recording.normalise import Block, Normaliser, overwrite
from build_dashboard.redaction.redactor import Redactor
from hypothesis import given, settings
from hypothesis import strategies as st


def joined(blocks: list[Block]) -> list[str]:
    """The lines that these blocks make, checked for their numbers."""
    lines: list[str] = []
    for block in blocks:
        if block.continues:
            assert block.first_line == len(lines)
            lines[-1] += block.lines[0]
            lines += block.lines[1:]
        else:
            assert block.first_line == len(lines) + 1
            lines += block.lines
    return lines


def lines_of(*chunks: bytes, **options) -> list[str]:
    normaliser = Normaliser(**options)
    blocks = [block for chunk in chunks for block in normaliser.feed("out", chunk, 1)]
    return joined(blocks + normaliser.finish())


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\nb\n", ["a", "b"]),
        (b"10%\r50%\r100%\n", ["100%"]),
        (b"downloading\rdone\n", ["doneloading"]),
        (b"downloading\r\x1b[Kdone\n", ["\x1b[Kdone"]),
        (b"\x1b[31mlonger\x1b[0m\rab\n", ["abnger"]),
        (b"nul \x00 bell \x07\n", ["nul \x00 bell \x07"]),
        (b"\xff\xfe caf\xc3\xa9 \xe2\x82\n", ["\ufffd\ufffd café \ufffd"]),
        (b"\x1b[1;31merror:\x1b[0m x\n", ["\x1b[1;31merror:\x1b[0m x"]),
        ("u2028\u2028same line\n".encode(), ["u2028\u2028same line"]),
    ],
)
def test_what_a_terminal_would_show_is_the_line(data, lines) -> None:
    """Line ends, overwriting and bytes that are no text become what a person would have seen."""
    assert lines_of(data) == lines


OUTPUT = st.lists(
    st.sampled_from(
        [
            b"a",
            b"bc",
            b"\n",
            b"\r",
            b"\r\n",
            "é".encode(),
            "漢".encode(),
            b"\xe6",
            b"\xbc",
            b"\xff",
            b"\x1b[K",
            b"\x1b[31m",
        ]
    ),
    max_size=60,
).map(b"".join)


@settings(max_examples=75, deadline=None)
@given(data=OUTPUT, cuts=st.lists(st.integers(0, 200), max_size=20), long_bytes=st.sampled_from([4, 7, 16384]))
def test_chunks_do_not_change_the_lines(data, cuts, long_bytes) -> None:
    """However the bytes are cut into reads, the same lines come out, also where lines are long."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[start:end] for start, end in pairwise(edges)]

    assert lines_of(*chunks, long_bytes=long_bytes) == lines_of(data, long_bytes=long_bytes)


@settings(max_examples=75, deadline=None)
@given(data=OUTPUT, cut=st.integers(0, 200), other=OUTPUT, long_bytes=st.sampled_from([4, 16384]))
def test_restart_goes_on_exactly(data, cut, other, long_bytes) -> None:
    """A state saved at any byte and restored gives the same lines as no restart."""

    def blocks(restarts: bool) -> list[Block]:
        normaliser = Normaliser(long_bytes=long_bytes)
        found = normaliser.feed("out", data[:cut], 1) + normaliser.feed("err", other, 1)
        if restarts:
            state = normaliser.state()
            normaliser = Normaliser(long_bytes=long_bytes)
            normaliser.restore(state)
        return found + normaliser.feed("out", data[cut:], 1) + normaliser.finish()

    assert blocks(restarts=True) == blocks(restarts=False)


@settings(max_examples=75, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["out", "err"]), OUTPUT, st.booleans()), max_size=12))
def test_streams_share_one_numbering(parts) -> None:
    """Lines of two streams never mix, numbers have no gap, whatever is flushed when."""
    normaliser = Normaliser(long_bytes=8, waiting_bytes=32)
    blocks: list[Block] = []
    for stream, data, is_flushed in parts:
        blocks += normaliser.feed(stream, data, 1)
        if is_flushed:
            blocks += normaliser.flush()
    blocks += normaliser.finish()

    number, stream = 0, None
    for block in blocks:
        if block.continues:
            assert (block.first_line, block.stream) == (number, stream)
        else:
            assert block.first_line == number + 1
        number, stream = block.first_line + len(block.lines) - 1, block.stream


def test_pieces_of_a_line_stay_together() -> None:
    """While a long line is passed on in pieces, the other stream waits for its end."""
    normaliser = Normaliser(long_bytes=4)
    blocks = normaliser.feed("out", b"abcdef", 1) + normaliser.feed("err", b"warning\n", 2)
    blocks += normaliser.feed("out", b"ghi\n", 3)

    assert [(block.stream, block.lines, block.continues) for block in blocks] == [
        ("out", ["abcdef"], False),
        ("out", ["ghi"], True),
        ("err", ["warning"], False),
    ]


def test_waiting_stream_does_not_wait_without_bound() -> None:
    """A line that never ends is ended when the other stream has waited for long enough."""
    normaliser = Normaliser(long_bytes=4, waiting_bytes=10)
    normaliser.feed("out", b"abcdef", 1)
    blocks = normaliser.feed("err", b"0123456789ab\n", 2)

    assert [block.lines for block in blocks] == [["0123456789ab"]]


def test_prompt_is_shown_after_a_while_and_goes_on() -> None:
    """A flushed piece keeps its line's number; the rest continues it."""
    normaliser = Normaliser()
    normaliser.feed("out", b"Continue? ", 1)
    shown = normaliser.flush()
    rest = normaliser.feed("out", b"yes\n", 2)

    assert joined(shown) == ["Continue? "]
    assert joined(shown + rest) == ["Continue? yes"]


def test_progress_that_is_overwritten_is_not_shown_as_lines() -> None:
    """A status line is no log line while it may be overwritten, but it can be read for progress."""
    normaliser = Normaliser()
    blocks = normaliser.feed("pty", b"\r[1/3] CXX a\x1b[K\r[2/3] CXX b\x1b[K", 1) + normaliser.flush()

    assert blocks == []
    assert normaliser.showing == "[2/3] CXX b\x1b[K"
    assert joined(normaliser.feed("pty", b"\r[3/3] LD c\x1b[K\r\n", 1) + normaliser.release()) == ["[3/3] LD c\x1b[K"]


@settings(max_examples=75, deadline=None)
@given(cut=st.lists(st.integers(0, 60), max_size=6), flushes=st.booleans())
def test_secret_is_masked_however_it_is_split(cut, flushes) -> None:
    """No split into reads, pieces or flushes lets a secret through."""
    data = b"before s3cr3t-value after s3cr3t-value!\n"
    edges = sorted({0, len(data), *(c for c in cut if c < len(data))})
    normaliser = Normaliser(Redactor(["s3cr3t-value"]), long_bytes=9)
    blocks: list[Block] = []
    for start, end in pairwise(edges):
        blocks += normaliser.feed("out", data[start:end], 1)
        if flushes:
            blocks += normaliser.flush()

    assert joined(blocks) == ["before [REDACTED] after [REDACTED]!"]


def test_configured_patterns_are_masked() -> None:
    """A team's own pattern works within lines."""
    assert lines_of(b"ghp_abc123 x\n", redactor=Redactor(patterns=[r"ghp_\w+"])) == ["[REDACTED] x"]


def test_overwriting_leaves_the_longer_rest() -> None:
    """As on a terminal, a shorter text leaves the end of the longer one standing."""
    assert overwrite("abcdef", "XY") == "XYcdef"
