"""The log's pace: at once while cheap, merged while expensive; merged text shows the same lines as its parts."""

import json
from typing import Any

from build_gateway.viewers.events import read_log
from build_gateway.viewers.log_pace import LONGEST_SECONDS, MERGED_CHARACTERS, LogPace, merge_logs
from build_protocol.frames import LogAppended
from hypothesis import given, settings
from hypothesis import strategies as st

BUILD = "01890000-0000-7000-8000-000000000001"
Line = tuple[str, str, int]


def event(seq: int, first_line: int, *lines: str, **changes: Any) -> Any:
    fields = {"build_id": BUILD, "project": "p", "after_seq": seq - 1, "seq": seq, "first_line": first_line}
    return read_log(LogAppended(**{**fields, "lines": list(lines), **changes}).to_json().encode())


def as_read(events: list[Any]) -> dict[int, Line]:
    """What a page shows after these frames: per line its text, stream and time."""
    shown: dict[int, Line] = {}
    for each in events:
        frame = LogAppended.model_validate_json(each.text)
        streams = frame.streams * len(frame.lines) if len(frame.streams) == 1 else frame.streams
        for index, text in enumerate(frame.lines):
            number = frame.first_line + index
            time = frame.times_ms[min(index, len(frame.times_ms) - 1)]
            if index == 0 and frame.continues:
                shown[number] = (shown[number][0] + text, *shown[number][1:])
            else:
                shown[number] = (text, streams[index], time)
    return shown


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.text(max_size=5), min_size=1, max_size=4),
            st.sampled_from(["out", "err"]),
            st.integers(1, 4),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_merged_text_shows_the_same_lines_as_its_parts(parts: list[tuple[list[str], str, int, bool]]) -> None:
    """Whatever records a log was cut into, also in the middle of lines, a page shows the same lines of one frame."""
    events, next_line = [], 1
    for seq, (lines, stream, times, wants_on) in enumerate(parts, start=1):
        goes_on = wants_on and seq > 1
        first_line = next_line - goes_on
        times_ms = [seq * 10 + n for n in range(min(times, len(lines)))]
        events.append(event(seq, first_line, *lines, streams=[stream], times_ms=times_ms, continues=goes_on or None))
        next_line = first_line + len(lines)

    (merged,) = merge_logs(events)

    assert as_read([merged]) == as_read(events)
    frame = json.loads(merged.text)
    assert (frame["afterSeq"], frame["seq"]) == (0, len(parts))


def test_what_does_not_join_stays_apart() -> None:
    """A hole in the records, or in the lines, is passed on as it is."""
    holes = [event(1, 1, "a"), event(3, 2, "b"), event(4, 9, "c")]

    assert [each.text for each in merge_logs(holes)] == [each.text for each in holes]


def test_cheap_text_is_never_held() -> None:
    """With few followers every line goes out at once."""
    pace = LogPace()
    for seq in range(1, 50):
        now = seq * 0.02
        assert pace.offer(event(seq, seq, "x"), now) != []
        pace.shown(0.001, now)
    assert pace.next_at() is None


def test_dear_text_is_held_and_merged() -> None:
    """While showing text takes most of the time lines leave together, at most a tenth of a second late."""
    pace = LogPace()
    pace.offer(event(1, 1, "x"), 0.0)
    pace.shown(1.0, 0.0)

    assert pace.offer(event(2, 2, "y"), 0.01) == []
    assert pace.offer(event(3, 3, "z"), 0.02) == []
    assert pace.due(0.05) == []
    assert pace.next_at() == LONGEST_SECONDS
    (shown,) = pace.due(LONGEST_SECONDS)
    assert json.loads(shown.text)["lines"] == ["y", "z"]
    assert pace.next_at() is None


def test_what_is_held_is_bounded() -> None:
    """Much text is not held however expensive showing it is."""
    pace = LogPace()
    pace.shown(1.0, 0.0)
    assert pace.offer(event(1, 1, "x"), 0.01) == []

    (shown,) = pace.offer(event(2, 2, "x" * MERGED_CHARACTERS), 0.02)
    assert shown.seq == 2
    assert pace.due(1.0) == []
