"""Normalisation: bytes of several streams in, numbered lines of text out. Pure; `docs/agent.md` states the rules.

Lines are numbered from 1 over all streams, in the order in which they end. The result depends on the bytes of each
stream, not on how they were cut into chunks; only `flush` (an idle stream's unfinished line is shown) depends on time.
A stream that moves its cursor upwards goes through a screen first, from the chunk on in which it does so; the newest
lines of a terminal are held back for a moment, for the first such move comes behind them.
"""

import codecs
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, Literal

from build_analysis.text import strip_ansi

from build_dashboard.recording.screen import COLUMNS, ROWS, Screen, moves_upwards, unfinished_sequence
from build_dashboard.redaction.redactor import Redactor

Stream = Literal["out", "err", "pty"]

LONG_BYTES = 16 * 1024
"""An unfinished line this long is passed on in pieces; carriage returns no longer overwrite it."""

WAITING_BYTES = 64 * 1024
"""What other streams may hold back while a line is passed on in pieces; then that line is ended."""

HOLD_MS = 100
"""So long a terminal's newest lines are held back: what redraws them does so sooner, at first."""

HOLD_BYTES = 2048
"""More of them than this are not held back."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines of one stream that were printed at about one time.

    With `continues`, the first one goes on with line `first_line`.
    """

    stream: Stream
    first_line: int
    lines: list[str]
    stamped_at: int
    continues: bool = False


@dataclass(slots=True)
class _Open:
    """The unfinished line of one stream."""

    rest: bytes = b""  # what no carriage return or line feed has ended yet
    shown: str = ""  # what the terminal shows of the line, before `rest`
    is_begun: bool = False  # a piece of it was passed on: it has a number
    is_ended: bool = False  # a carriage return ended a line passed on; a bare line feed now adds no empty one
    has_return: bool = False  # it may yet be overwritten, so it is not shown before it ends
    stamped_at: int = 0


@dataclass(slots=True)
class _Waiting:
    stream: Stream
    stamped_at: int
    data: bytes


@dataclass(slots=True)
class Normaliser:
    """Turns one build's output into numbered lines."""

    redactor: Redactor = field(default_factory=Redactor)
    long_bytes: int = LONG_BYTES
    waiting_bytes: int = WAITING_BYTES
    columns: int = COLUMNS
    rows: int = ROWS
    """The terminal's size."""
    line: int = 0
    """The number of the last line that was begun."""
    _open: dict[Stream, _Open] = field(default_factory=dict)
    _begun: Stream | None = None
    _waiting: list[_Waiting] = field(default_factory=list)
    _waiting_size: int = 0
    _screens: dict[Stream, Screen] = field(default_factory=dict)
    _held: dict[Stream, tuple[int, bytes]] = field(default_factory=dict)
    """Bytes that were not looked at for lines yet, and when they came."""

    def feed(self, stream: Stream, data: bytes, stamped_at: int) -> list[Block]:
        """The lines that these bytes finished."""
        blocks: list[Block] = []
        held_at = stamped_at
        if stream in self._held:
            if stamped_at - self._held[stream][0] > HOLD_MS:
                self._release_held(stream, blocks)
            held_at, held = self._held.pop(stream, (stamped_at, b""))
            data = held + data
        if stream not in self._screens and moves_upwards(data):
            data = self._enter_screen(stream, blocks) + data
        if stream in self._screens:
            self._feed_screen(stream, data, stamped_at, blocks)
            return blocks
        cut = unfinished_sequence(data)
        if stream == "pty" and b"\n" in data[-HOLD_BYTES:]:
            cut = min(cut, data.find(b"\n", -HOLD_BYTES) + 1 if len(data) > HOLD_BYTES else 0)
        if cut < len(data):
            self._held[stream] = (held_at, data[cut:])
            data = data[:cut]
        self._feed(stream, data, stamped_at, blocks)
        return blocks

    def release(self) -> list[Block]:
        """Give what is held back only for a moment."""
        blocks: list[Block] = []
        for stream in sorted(self._held):
            self._release_held(stream, blocks)
        return blocks

    def flush(self) -> list[Block]:
        """Show unfinished lines of streams that are idle, as far as nothing may overwrite them."""
        blocks: list[Block] = self.release()
        for stream, screen in self._screens.items():
            self._feed_lines(stream, screen.settle(), self._open.setdefault(stream, _Open()).stamped_at, blocks)
        if self._waiting:
            self._end_begun(blocks)
        for stream, line in sorted(self._open.items(), key=lambda item: item[0]):
            if line.rest and not line.has_return and self._begun in (None, stream):
                self._pass_on(stream, line, blocks)
        return blocks

    def finish(self) -> list[Block]:
        """End every line: the output is over (or a part of it was lost)."""
        blocks: list[Block] = self.release()
        for stream, screen in self._screens.items():
            self._feed_lines(stream, screen.finish(), self._open.setdefault(stream, _Open()).stamped_at, blocks)
        self._screens = {}
        while self._waiting:
            self._end_begun(blocks)
        # The line that was passed on in pieces ends before any other gets a number.
        for stream in sorted(self._open, key=lambda stream: (stream != self._begun, stream)):
            line = self._open[stream]
            if line.rest or line.shown:
                self._end_line(stream, line, line.rest, blocks)
            self._open[stream] = _Open()
        self._begun = None
        return blocks

    @property
    def has_unfinished(self) -> bool:
        """Whether some stream's line waits for its end."""
        lines, screens = self._open.values(), self._screens.values()
        return (
            bool(self._waiting)
            or any(line.rest and not line.has_return for line in lines)
            or any(screen.has_settled for screen in screens)
        )

    @property
    def is_holding(self) -> bool:
        """Whether `release` has something to give."""
        return bool(self._held)

    @property
    def showing(self) -> str:
        """What the last unfinished line shows now, where carriage returns overwrite it; for reading progress."""
        for screen in self._screens.values():
            return screen.showing
        lines = [line for line in self._open.values() if line.has_return]
        if not lines:
            return ""
        last = max(lines, key=lambda line: line.stamped_at)
        return overwrite(last.shown, _decode(last.rest)) if last.rest else last.shown

    def state(self) -> dict[str, Any]:
        """Everything needed to go on after a restart; small unless lines are long."""
        return {
            "line": self.line,
            "begun": self._begun,
            "open": {
                stream: [line.rest.decode("latin-1"), *astuple(line)[1:]]
                for stream, line in self._open.items()
                if line != _Open(stamped_at=line.stamped_at)
            },
            "redaction": self.redactor.state(),
            "waiting": [[w.stream, w.stamped_at, w.data.decode("latin-1")] for w in self._waiting],
            "screens": {stream: screen.state() for stream, screen in self._screens.items()},
            "held": {stream: [at, held.decode("latin-1")] for stream, (at, held) in self._held.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state()`."""
        self.line, self._begun = state["line"], state["begun"]
        self._open = {
            stream: _Open(rest.encode("latin-1"), *others) for stream, (rest, *others) in state["open"].items()
        }
        self._waiting = [_Waiting(stream, ms, data.encode("latin-1")) for stream, ms, data in state["waiting"]]
        self._waiting_size = sum(len(waiting.data) for waiting in self._waiting)
        self.redactor.restore(state["redaction"])
        self._screens = {stream: Screen.restored(screen) for stream, screen in state["screens"].items()}
        self._held = {stream: (at, held.encode("latin-1")) for stream, (at, held) in state["held"].items()}

    def _release_held(self, stream: Stream, blocks: list[Block]) -> None:
        stamped_at, held = self._held.pop(stream)
        self._feed(stream, held, stamped_at, blocks)

    def _enter_screen(self, stream: Stream, blocks: list[Block]) -> bytes:
        """Begin a screen; what its first row shows already."""
        while self._waiting:
            self._end_begun(blocks)
        line = self._open.get(stream, _Open())
        self._screens[stream] = Screen(self.columns, self.rows)
        if line.is_begun:
            self._end_begun(blocks)  # its number is given: what comes is another line
            return line.rest
        self._open[stream] = _Open(stamped_at=line.stamped_at)
        return line.shown.encode() + (b"\r" if line.has_return else b"") + line.rest

    def _feed_screen(self, stream: Stream, data: bytes, stamped_at: int, blocks: list[Block]) -> None:
        screen = self._screens[stream]
        lines = screen.feed(data)
        if screen.is_quiet:
            lines += screen.finish()
            del self._screens[stream]
        self._feed_lines(stream, lines, stamped_at, blocks)

    def _feed_lines(self, stream: Stream, lines: list[str], stamped_at: int, blocks: list[Block]) -> None:
        self._open.setdefault(stream, _Open()).stamped_at = stamped_at
        if lines:
            self._feed(stream, ("\n".join(lines) + "\n").encode(), stamped_at, blocks)

    def _feed(self, stream: Stream, data: bytes, stamped_at: int, blocks: list[Block]) -> None:
        if self._begun not in (None, stream):
            # Pieces of a line stay together: others wait until it ends, but not without bound.
            self._waiting.append(_Waiting(stream, stamped_at, data))
            self._waiting_size += len(data)
            if self._waiting_size > self.waiting_bytes:
                self._end_begun(blocks)
            return
        self._take(stream, data, stamped_at, blocks)
        self._release(blocks)

    def _take(self, stream: Stream, data: bytes, stamped_at: int, blocks: list[Block]) -> None:
        line = self._open.setdefault(stream, _Open())
        line.stamped_at = stamped_at
        data = line.rest + data if line.rest else data
        cut = data.rfind(b"\n")
        if cut < 0:
            line.rest = data
        else:
            line.rest = data[cut + 1 :]
            self._whole_lines(stream, line, data[: cut + 1], blocks)
        self._settle(stream, line, blocks)

    def _whole_lines(self, stream: Stream, line: _Open, data: bytes, blocks: list[Block]) -> None:
        if line.is_begun or line.has_return:
            first, _, data = data.partition(b"\n")
            self._end_line(stream, line, first, blocks)
            if not data:
                return
        data = self.redactor.redact(data, stream)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        if b"\r" not in data:
            self._emit(stream, data[:-1].decode("utf-8", "replace").split("\n"), line.stamped_at, blocks)
            return
        plain: list[str] = []
        for text in data[:-1].split(b"\n"):
            if b"\r" not in text:
                plain.append(text.decode("utf-8", "replace"))
                continue
            self._emit(stream, plain, line.stamped_at, blocks)
            plain = []
            self._end_line(stream, line, text, blocks)
        self._emit(stream, plain, line.stamped_at, blocks)

    def _settle(self, stream: Stream, line: _Open, blocks: list[Block]) -> None:
        """Keep what waits for its line feed small: apply carriage returns, pass on what is long."""
        if b"\r" in line.rest:
            segments = self.redactor.redact(line.rest, stream, continues=line.is_begun).split(b"\r")
            line.rest = segments.pop()
            for segment in segments:
                self._segment(stream, line, segment, blocks)
        if len(line.rest) >= self.long_bytes:
            line.shown = ""
            self._pass_on(stream, line, blocks)

    def _segment(self, stream: Stream, line: _Open, segment: bytes, blocks: list[Block]) -> None:
        """A carriage return ended this part of the line."""
        line.has_return = True
        if line.is_begun:
            self._emit(stream, [_decode(segment)], line.stamped_at, blocks, continues=True)
            line.is_begun, line.is_ended, self._begun = False, True, None
        elif len(segment) >= self.long_bytes:
            self._emit(stream, [_decode(segment)], line.stamped_at, blocks)
            line.shown, line.is_ended = "", True
        elif segment:
            line.shown = overwrite(line.shown, _decode(segment))

    def _end_line(self, stream: Stream, line: _Open, text: bytes, blocks: list[Block]) -> None:
        """A line feed ended this line, whose last bytes these are."""
        segments = self.redactor.redact(text, stream, continues=line.is_begun).split(b"\r")
        last = segments.pop()
        for segment in segments:
            self._segment(stream, line, segment, blocks)
        if line.is_begun:
            self._emit(stream, [_decode(last)], line.stamped_at, blocks, continues=True)
            self._begun = None
        elif last or line.shown or not line.is_ended:
            whole = len(last) >= self.long_bytes or not line.shown
            self._emit(
                stream,
                [_decode(last) if whole else overwrite(line.shown, _decode(last))],
                line.stamped_at,
                blocks,
            )
        line.shown, line.is_begun, line.is_ended, line.has_return = "", False, False, False

    def _pass_on(self, stream: Stream, line: _Open, blocks: list[Block]) -> None:
        """Show what there is of an unfinished line; what may be part of a secret or of a character stays."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.decode(line.rest)
        begun_character = decoder.getstate()[0]
        whole = line.rest.removesuffix(begun_character)
        shown, held = self.redactor.pass_on(whole, stream, continues=line.is_begun)
        line.rest = held + begun_character
        if shown:
            self._emit(stream, [_decode(shown)], line.stamped_at, blocks, continues=line.is_begun)
            line.is_begun, self._begun = True, stream

    def _end_begun(self, blocks: list[Block]) -> None:
        """End the line that holds others back; what comes of it later is a line of its own."""
        if self._begun is not None:
            line = self._open[self._begun]
            line.is_begun, line.is_ended, line.has_return, self._begun = False, True, True, None
        self._release(blocks)

    def _release(self, blocks: list[Block]) -> None:
        while self._waiting and self._begun in (None, self._waiting[0].stream):
            waiting = self._waiting.pop(0)
            self._waiting_size -= len(waiting.data)
            self._take(waiting.stream, waiting.data, waiting.stamped_at, blocks)

    def _emit(
        self, stream: Stream, lines: list[str], stamped_at: int, blocks: list[Block], *, continues: bool = False
    ) -> None:
        if not lines:
            return
        first_line = self.line if continues else self.line + 1
        self.line = first_line + len(lines) - 1
        blocks.append(Block(stream, first_line, lines, stamped_at, continues))


def overwrite(before: str, text: str) -> str:
    """What a terminal shows after `text` was printed over `before` from the line's beginning."""
    if not before or not text:
        return before or text
    if "\x1b" in text and ("\x1b[K" in text or "\x1b[0K" in text or "\x1b[2K" in text):
        return text
    return text + strip_ansi(before)[len(strip_ansi(text)) :]


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")
