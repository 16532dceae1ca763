"""Logs: one line each, with their ids, and nothing in them is obeyed by a terminal or a parser."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from build_chassis.logging import configure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_where_nobody_watches_a_log_is_json() -> None:
    """One object a line, the ids as fields."""
    stream = io.StringIO()
    configure("info", stream)

    logging.getLogger("ingest").warning("parked %s", "a\nmessage\x1b[2J", extra={"build_id": "b-1"})

    (line,) = stream.getvalue().splitlines()
    logged = json.loads(line)
    assert (logged["message"], logged["build_id"]) == ("parked a\nmessage\x1b[2J", "b-1")
    assert (logged["level"], logged["logger"]) == ("WARNING", "ingest")


def test_on_a_terminal_control_characters_are_shown() -> None:
    """Colours, line breaks and direction marks from outside arrive as escapes on one line."""
    stream = Terminal()
    configure("info", stream)

    logging.getLogger("ingest").info("started by %s", "eve\r\n\x1b[31m\u202e\x9b", extra={"build_id": "b\n2"})

    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r"INFO    ingest: started by eve\r\n\x1b[31m\u202e\x9b build_id=b\n2")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_traceback_is_kept(stream: io.StringIO) -> None:
    """The error and where it came from are in the log."""
    configure("info", stream)
    try:
        raise ValueError("bad\x1b")
    except ValueError:
        logging.getLogger("x").exception("failed")

    assert "test_logging.py" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
