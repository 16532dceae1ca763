"""Output that moves its cursor upwards: what a terminal shows of it is what the log holds."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise

import pyte
import pytest
from build_dashboard.recording.normalise import HOLD_MS, Block, Normaliser, Stream
from hypothesis import given, settings
from hypothesis import strategies as st

COLUMNS = 60
BAZEL = (
    "Loading: \r\n"
    "\r\x1b[1A\x1b[KLoading: 1 packages loaded\r\n"
    "\r\x1b[1A\x1b[K\x1b[32mAnalyzing:\x1b[0m target //:x\r\n    currently loading: y\r\n"
    "\r\x1b[1A\x1b[K\r\x1b[1A\x1b[K\x1b[32mINFO:\x1b[0m Analyzed target //:x\r\n"
    "[0 / 4] [Prepa] x\r\n"
    "\r\x1b[1A\x1b[K[2 / 4] 2 actions\r\n    Compiling a.cc; 1s\r\n    Compiling b.cc; 1s\r\n"
    "\r\x1b[1A\x1b[K\r\x1b[1A\x1b[K\r\x1b[1A\x1b[K\x1b[31mERROR:\x1b[0m b.cc failed\r\n[3 / 4] Linking\r\n"
    "\r\x1b[1A\x1b[KINFO: Elapsed time: 1s\r\n"
)


def lines_of(
    data: bytes, *, rows: int = 24, columns: int = COLUMNS, cuts: Sequence[int] = (), stream: Stream = "pty"
) -> list[str]:
    """The log's lines, read in pieces, by a normaliser that goes on from its state behind each."""
    normaliser = Normaliser(columns=columns, rows=rows)
    blocks: list[Block] = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        blocks += normaliser.feed(stream, data[start:end], 1)
        after = Normaliser(columns=columns, rows=rows)
        after.restore(json.loads(json.dumps(normaliser.state())))
        normaliser = after
    blocks += normaliser.finish()
    assert [block.first_line for block in blocks] == _numbers(blocks)
    return [line for block in blocks for line in block.lines]


def _numbers(blocks: Sequence[Block]) -> list[int]:
    at, numbers = 1, []
    for block in blocks:
        numbers.append(at)
        at += len(block.lines)
    return numbers


def plain(lines: Sequence[str]) -> list[str]:
    """Without colours, and without what is blank at the ends."""
    shown = [re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", line).rstrip() for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    return shown


def shown_by_a_terminal(data: bytes, rows: int) -> list[str]:
    """What scrolled off a terminal, and what it shows in the end."""
    screen = pyte.HistoryScreen(COLUMNS, rows, history=10_000)
    screen.set_mode(pyte.modes.LNM)
    pyte.ByteStream(screen).feed(data)
    shown = [*screen.history.top, *(screen.buffer[row] for row in range(rows))]
    return plain(["".join(line[column].data for column in range(COLUMNS)) for line in shown])


PRINTED = ["a", "bc", "hello ", "é", "\r", "\n", "\r\n", "\r\n", "\b", "\t", "\x1b[31m", "\x1b[0;1m", "\x1b[0m"]
MOVED = [
    "\x1b[1A",
    "\x1b[A",
    "\x1b[2A",
    "\x1b[1B",
    "\x1b[2C",
    "\x1b[D",
    "\x1b[3G",
    "\x1b[F",
    "\x1b[E",
    "\x1b[2;3H",
    "\x1bM",
]
ERASED = ["\x1b[K", "\x1b[2K", "\x1b[1K", "\x1b[J", "\x1b[L", "\x1b[P", "\x1b[X", "\x1b[2@", "\x1b[2d"]


@settings(max_examples=100, deadline=None)
@given(
    tokens=st.lists(st.sampled_from([*PRINTED, *MOVED, *ERASED]), max_size=50),
    rows=st.sampled_from([3, 5, 24]),
    cuts=st.lists(st.integers(0, 300), max_size=4),
)
def test_the_log_holds_what_a_terminal_shows(tokens: list[str], rows: int, cuts: list[int]) -> None:
    """Whatever is printed, moved to and erased, and however it is read, across restarts too."""
    data = "".join(["\x1b[A", *tokens]).encode()

    assert shown_by_a_terminal(data, rows) == plain(lines_of(data, rows=rows, cuts=cuts))


@pytest.mark.parametrize("cuts", [(), range(0, len(BAZEL), 7), range(len(BAZEL))])
def test_a_status_of_several_lines_is_shown_once(cuts: Sequence[int]) -> None:
    """Bazel's: what it printed for good stays, with its colours; of its status only the last one does."""
    expected = [
        "\x1b[32mINFO:\x1b[0m Analyzed target //:x",
        "\x1b[31mERROR:\x1b[0m b.cc failed",
        "INFO: Elapsed time: 1s",
    ]

    assert expected == lines_of(BAZEL.encode(), cuts=cuts)


def test_the_first_redraw_of_a_pipe_is_seen_too() -> None:
    """Also where no terminal is, as far as it comes with what it redraws."""
    assert ["b"] == lines_of(b"a\n\r\x1b[1A\x1b[Kb\n", stream="out")


def test_a_line_wider_than_the_screen_is_one_line() -> None:
    """Moving up goes by the screen's rows; the log has the line."""
    wide = "x" * 25

    assert [wide, "end"] == lines_of(f"\x1b[1A{wide}\r\nend\r\n".encode(), columns=10)
    assert ["x" * 10 + "y" * 4, "end"] == lines_of(f"{wide}\x1b[1A\ryyyy\x1b[K\r\n\x1b[Kend\r\n".encode(), columns=10)


def test_a_screen_of_its_own_leaves_nothing() -> None:
    """A pager or an editor takes the terminal for itself; what was cleared away in the other screen is kept."""
    assert ["before", "after"] == lines_of(b"before\r\n\x1b[?1049hmenu\r\nmenu\x1b[?1049lafter\r\n")
    assert ["error: x", "next"] == lines_of(b"error: x\r\n\x1b[H\x1b[2Jnext\r\n")


def test_lines_above_a_status_are_shown_while_it_stands() -> None:
    """A build that hangs has shown all that it printed for good; scrolled off, it is not shown again."""
    normaliser = Normaliser(rows=4)
    shown = normaliser.feed("pty", b"one\r\n\x1b[Aone\r\ntwo\r\nstatus 1\r\n\x1b[1A\x1b[Kstatus 2\r\n", 1)

    assert normaliser.has_unfinished
    shown += normaliser.flush()
    assert [["one", "two"]] == [block.lines for block in shown]
    assert not normaliser.has_unfinished
    assert normaliser.showing == "status 2"
    shown += normaliser.feed("pty", b"three\r\nfour\r\nfive\r\n", 2) + normaliser.finish()
    assert ["one", "two", "status 2", "three", "four", "five"] == [line for block in shown for line in block.lines]


def test_output_that_no_longer_moves_is_shown_at_once_again() -> None:
    """Two screens after the last move the screen is left, and nothing waits on it."""
    normaliser = Normaliser(rows=5)
    blocks = normaliser.feed("out", b"a\n\x1b[Ab\n", 1)
    for number in range(20):
        blocks += normaliser.feed("out", f"{number}\n".encode(), 1)

    assert ["b", *map(str, range(20))] == [line for block in blocks for line in block.lines]


def test_a_terminals_newest_lines_wait_a_moment() -> None:
    """What redraws them comes at once or not at all; lines that are printed steadily are no later than that."""
    normaliser = Normaliser()

    assert [] == normaliser.feed("pty", b"one\r\n", 1000)
    assert normaliser.is_holding
    assert [["one"]] == [block.lines for block in normaliser.release()]
    assert [] == normaliser.feed("pty", b"two\r\n", 2000)
    assert [] == normaliser.feed("pty", b"three\r\n", 2000 + HOLD_MS)
    assert [["two", "three"]] == [block.lines for block in normaliser.feed("pty", b"four\r\n", 2001 + HOLD_MS)]


@pytest.mark.slow
def test_long_sequences_and_rows_cost_little() -> None:
    """A megabyte of what never ends, or of one row that is written again, is read within the suite's time limit."""
    for data in (b"\x1b[A\x1b]" + b"x" * 300_000, b"\x1b[A" + b"\x1b[1;" * 50_000, b"\x1b[A" + b"ab\r" * 100_000):
        assert lines_of(data) is not None
