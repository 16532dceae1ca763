"""Logs: one line each, verb first, with the ids that a search needs; JSON where no person is watching."""

import json
import logging
import sys
import time
from typing import IO, Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str = "INFO", stream: IO[str] | None = None) -> None:
    """Send this process's logs to a stream: text on a terminal, else one JSON object a line.

    Args:
        level: The least severe level to log: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        stream: Where to; standard error when None.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextLines() if stream.isatty() else JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The server logs every WebSocket's path with its query at INFO, and a query may hold what nobody should read.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    for chatty in ("aio_pika", "aiormq", "httpx", "httpcore", "pymongo"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """A record as one line of JSON; whatever a message smuggles in stays inside its string."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "at": _utc(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """A record as one line of text; a traceback follows indented. Control characters are shown, never obeyed."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        lines = [f"{_utc(record)} {record.levelname:<7} {record.name}: {record.getMessage()}{fields}"]
        if record.exc_info:
            lines += [f"    {line}" for line in self.formatException(record.exc_info).splitlines()]
        return "\n".join(visible(line) for line in lines)


def visible(text: str) -> str:
    """The text with control, format and line-separating characters written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _utc(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"
