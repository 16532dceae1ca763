"""A screen: what a terminal of some size shows of a stream that moves its cursor up, line by line as it scrolls off.

Only for streams that do (Bazel's, pip's and docker's status of several lines); it costs about a microsecond a
character. A line that is wider than the screen is one line in the end, as it was when it was printed. Colours are kept.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COLUMNS, ROWS = 80, 24
"""Of a stream whose terminal is not known."""

ROWS_MAX, COLUMNS_MAX = 500, 1000

STYLE_CHARACTERS = 80
"""Colours and weights that were set without any being reset; older ones are forgotten."""

QUIET_SCREENS = 2
"""After so many screens of lines without a move upwards nothing on it will be moved to any more."""

# Colours and erasing to the row's end are nearly all there is: what they are not is looked for first, which is faster.
_OTHER = re.compile(rb"\x1b(?!\[[0-9;]*+[mK])")
_UPWARDS = re.compile(rb"\x1b(?:[M8c]|\[[0-9;]*[AFHfdLMTu]|\[\?(?:1049|47|1047)h)")
_BROKEN_OFF = re.compile(rb"\x1b(?:\[[0-9;?]*)?\Z")
SEQUENCE_BYTES = 32
"""A cursor's sequence is no longer."""

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f]+)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]P_^X](?:[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b(?P<short>[ -/]?[0-Z\\-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
)
_UNFINISHED_CHARACTERS = 4096
"""A sequence that is longer was none."""


def moves_upwards(data: bytes) -> bool:
    """Whether these bytes may change lines above the one they end in."""
    other = _OTHER.search(data) if b"\x1b" in data else None
    return other is not None and _UPWARDS.search(data, other.start()) is not None


def unfinished_sequence(data: bytes) -> int:
    """Where a sequence begins that these bytes break off in; their length where they do not."""
    start = data.rfind(b"\x1b", -SEQUENCE_BYTES) if data else -1
    return start if start >= 0 and _BROKEN_OFF.match(data, start) else len(data)


@dataclass(slots=True)
class _Row:
    cells: list[str] = field(default_factory=list)
    """A character and what combines with it each; empty behind a wide one."""
    styles: list[str] = field(default_factory=list)
    goes_on: bool = False
    """It was full, and the row below it goes on."""
    is_out: bool = False
    """It was passed on as it is."""

    def text(self) -> str:
        """The row with its colours, without the blanks behind it."""
        end = len(self.cells)
        while not self.goes_on and end and self.cells[end - 1] == " " and not self.styles[end - 1]:
            end -= 1
        parts, style = [], ""
        for cell, of in zip(self.cells[:end], self.styles[:end], strict=True):
            if of != style:
                parts.append(f"\x1b[0m{of}" if style else of)
                style = of
            parts.append(cell)
        return "".join(parts) + ("\x1b[0m" if style else "")


class Screen:
    """One stream's. `feed` gives what scrolled off."""

    def __init__(self, columns: int = COLUMNS, rows: int = ROWS) -> None:
        self._columns, self._height = min(max(2, columns), COLUMNS_MAX), min(max(2, rows), ROWS_MAX)
        self._rows = [_Row()]
        self._row = self._column = 0
        self._style = ""
        self._saved = (0, 0)
        self._top, self._bottom = 0, self._height - 1
        self._landed = 0  # where the last move upwards led
        self._quiet_lines = 0
        self._is_other = False  # a program has the whole screen for itself
        self._rest = ""
        self._undecoded = b""
        self._out: list[str] = []
        self._part = ""  # of a line that is wider than the screen

    @property
    def is_quiet(self) -> bool:
        """Whether it may be left: nothing moves upwards any more, and a line begins."""
        long_quiet = self._quiet_lines > QUIET_SCREENS * self._height
        return long_quiet and not (self._rest or self._undecoded or self._rows[self._row].cells or self._part)

    @property
    def showing(self) -> str:
        """The first row of what is written again and again."""
        return self._rows[min(self._landed, len(self._rows) - 1)].text()

    def feed(self, data: bytes) -> list[str]:
        """The lines that scrolled off while this was printed."""
        data = self._undecoded + data
        whole = len(data) - _unfinished_bytes(data)
        self._undecoded = data[whole:]
        text = self._rest + data[:whole].decode("utf-8", "replace")
        end = 0
        while match := _TOKEN.match(text, end):
            end = match.end()
            if printed := match["text"]:
                self._print(printed)
            elif final := match["final"]:
                self._control(final, match["parameters"])
            elif not self._is_other and (control := match["control"]):
                self._single(control)
            elif not self._is_other and (short := match["short"]):
                self._short(short)
        self._rest = text[end:]
        if len(self._rest) > _UNFINISHED_CHARACTERS:
            self._rest = self._rest[1:]
        return self._take()

    def settle(self) -> list[str]:
        """The lines above what is written again and again: they stand, though they have not scrolled off."""
        for row in self._rows[: min(self._landed, self._row)]:
            self._pass_on(row)
        return self._take()

    def finish(self) -> list[str]:
        """All that it shows; afterwards it is used up."""
        while len(self._rows) > 1 and not self._rows[-1].cells:
            self._rows.pop()
        last = self._rows[-1]
        last.goes_on = False
        for row in self._rows:
            if row is not last or row.cells or self._part:
                self._pass_on(row)
        return self._take()

    @property
    def has_settled(self) -> bool:
        """Whether `settle` would give something."""
        return any(not row.is_out for row in self._rows[: min(self._landed, self._row)])

    def state(self) -> dict[str, Any]:
        """Everything needed to go on after a restart."""
        rows = [[row.text(), row.goes_on, row.is_out] for row in self._rows]
        others = {name: getattr(self, f"_{name}") for name in _STATE}
        return {**others, "rows": rows, "saved": list(self._saved), "undecoded": self._undecoded.decode("latin-1")}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "Screen":
        """The screen of a `state()`."""
        screen = cls(state["columns"], state["height"])
        screen._rows = [_Row() for _ in state["rows"]]
        for place, (text, goes_on, is_out) in enumerate(state["rows"]):
            screen._row, screen._column = place, 0
            screen.feed(text.encode())
            row = screen._rows[place]
            row.goes_on, row.is_out = goes_on, is_out
        for name in _STATE:
            setattr(screen, f"_{name}", state[name])
        screen._saved = (state["saved"][0], state["saved"][1])
        screen._undecoded = state["undecoded"].encode("latin-1")
        return screen

    # --- what is printed ---

    def _print(self, text: str) -> None:
        if self._is_other:
            return
        row = self._rows[self._row]
        if text.isascii() and self._column == len(row.cells) and self._column + len(text) <= self._columns:
            row.cells.extend(text)
            row.styles.extend([self._style] * len(text))
            row.is_out = False
            self._column += len(text)
            return
        for character in text:
            width = _width(character)
            if width == 0:
                row = self._rows[self._row]
                if 0 < self._column <= len(row.cells):
                    row.cells[self._column - 1] += character
                continue
            if self._column + width > self._columns:
                self._rows[self._row].goes_on = True
                self._line_feed()
                self._column = 0
            self._put(character, width)

    def _put(self, character: str, width: int) -> None:
        row = self._row_for_change()
        missing = self._column + width - len(row.cells)
        if missing > 0:
            row.cells.extend(" " * missing)
            row.styles.extend([""] * missing)
        row.cells[self._column] = character
        row.styles[self._column] = self._style
        if width == 2:
            row.cells[self._column + 1] = ""
            row.styles[self._column + 1] = self._style
        self._column += width

    def _single(self, control: str) -> None:
        if control in "\n\v\f":
            self._quiet_lines += 1
            self._line_feed()
            self._column = 0
        elif control == "\r":
            self._column = 0
        elif control == "\b":
            self._column = max(0, self._column - 1)
        elif control == "\t":
            self._column = min(self._columns - 1, (self._column // 8 + 1) * 8)

    def _short(self, short: str) -> None:
        if short == "7":
            self._saved = (self._row, self._column)
        elif short == "8":
            self._move(*self._saved)
        elif short == "M":
            if self._row == self._top:
                column = self._column
                self._insert_rows(1)
                self._column = column
            else:
                self._move(self._row - 1, self._column)
        elif short in "DE":
            self._line_feed()
            self._column = 0 if short == "E" else self._column
        elif short == "c":
            self._erase_in_screen(2)
            self._move(0, 0)

    def _control(self, final: str, parameters: str) -> None:
        if final == "m":
            style = "" if parameters in ("", "0") else f"{self._style}\x1b[{parameters}m"
            self._style = style if len(style) <= STYLE_CHARACTERS else f"\x1b[{parameters}m"[:STYLE_CHARACTERS]
            return
        if parameters[:1] == "?":
            if parameters[1:] in ("1049", "47", "1047") and final in "hl":
                self._is_other = final == "h"
            return
        numbers = [int(number) if number.isdigit() else 0 for number in parameters.split(";")][:16]
        count = max(1, numbers[0])
        if self._is_other:
            return
        if final in _MOVES:
            rows, columns = _MOVES[final]
            self._move(self._row + rows * count, self._column + columns * count)
        elif final in "Hf":
            self._move(count - 1, (max(1, numbers[1]) if len(numbers) > 1 else 1) - 1)
        elif final == "G":
            self._move(self._row, count - 1)
        elif final == "d":
            self._move(count - 1, self._column)
        elif final in "su":
            self._short("7" if final == "s" else "8")
        else:
            self._edit(final, numbers, count)

    def _edit(self, final: str, numbers: list[int], count: int) -> None:
        if final == "J":
            self._erase_in_screen(numbers[0])
        elif final == "K":
            self._erase_in_row(numbers[0])
        elif final == "L":
            self._insert_rows(count)
        elif final == "M":
            self._delete_rows(count)
        elif final in "PX@":
            self._change_in_row(final, count)
        elif final == "r":
            self._region(numbers)

    # --- where the cursor goes ---

    def _move(self, row: int, column: int) -> None:
        row = min(max(0, row), self._height - 1)
        if row < self._row:
            self._quiet_lines, self._landed = 0, row
        self._row, self._column = row, min(max(0, column), self._columns - 1)
        while len(self._rows) <= row:
            self._rows.append(_Row())

    def _line_feed(self) -> None:
        if self._row == self._bottom:
            if self._top == 0:
                self._pass_on(self._rows[0])
            self._rows.pop(self._top)
            self._rows.insert(self._bottom, _Row())
            self._landed = max(0, self._landed - 1)
        elif self._row < self._height - 1:
            self._row += 1
            if self._row == len(self._rows):
                self._rows.append(_Row())

    def _region(self, numbers: list[int]) -> None:
        top, bottom = max(1, numbers[0]) - 1, (numbers[1] if len(numbers) > 1 else 0) or self._height
        self._top, self._bottom = (top, bottom - 1) if top < bottom <= self._height else (0, self._height - 1)
        while len(self._rows) <= self._bottom and (top, bottom) != (0, self._height):
            self._rows.append(_Row())
        self._move(0, 0)

    # --- what is erased ---

    def _row_for_change(self) -> _Row:
        row = self._rows[self._row]
        row.is_out = False
        return row

    def _erase_in_row(self, mode: int) -> None:
        row = self._row_for_change()
        if mode in (0, 2):
            start = self._column if mode == 0 else 0
            del row.cells[start:], row.styles[start:]
            row.goes_on = False
        elif mode == 1:
            for place in range(min(self._column + 1, len(row.cells))):
                row.cells[place], row.styles[place] = " ", ""

    def _erase_in_screen(self, mode: int) -> None:
        if mode == 0:
            self._erase_in_row(0)
            self._erase_rows(self._row + 1, len(self._rows))
        elif mode == 1:
            self._erase_rows(0, self._row)
            self._erase_in_row(1)
        elif mode == 2:
            # What is cleared away was there to be read: terminals with a memory keep it, too.
            for row in self._rows:
                if row.cells:
                    self._pass_on(row)
            self._erase_rows(0, len(self._rows))

    def _erase_rows(self, first: int, end: int) -> None:
        for place in range(first, end):
            self._rows[place] = _Row()

    def _insert_rows(self, count: int) -> None:
        self._column = 0
        for _ in range(min(count, self._bottom - self._row + 1)):
            if len(self._rows) > self._bottom:
                self._rows.pop(self._bottom)
            self._rows.insert(self._row, _Row())

    def _delete_rows(self, count: int) -> None:
        self._column = 0
        for _ in range(min(count, self._bottom - self._row + 1, len(self._rows) - self._row)):
            self._rows.pop(self._row)
            self._rows.insert(min(self._bottom, len(self._rows)), _Row())

    def _change_in_row(self, final: str, count: int) -> None:
        """Insert blanks, delete what is there, or make it blank."""
        row, start = self._row_for_change(), self._column
        end = start if final == "@" else start + count
        blanks = min(count, self._columns) if final == "@" else len(row.cells[start:end]) if final == "X" else 0
        if start < len(row.cells):
            row.cells[start:end], row.styles[start:end] = [" "] * blanks, [""] * blanks
        del row.cells[self._columns :], row.styles[self._columns :]

    # --- what goes out ---

    def _pass_on(self, row: _Row) -> None:
        if row.is_out:
            return
        row.is_out = True
        self._part += row.text()
        if not row.goes_on:
            self._out.append(self._part)
            self._part = ""

    def _take(self) -> list[str]:
        out, self._out = self._out, []
        return out


_STATE = (
    "columns",
    "height",
    "row",
    "column",
    "style",
    "top",
    "bottom",
    "landed",
    "quiet_lines",
    "is_other",
    "rest",
    "part",
)

_MOVES = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1), "E": (1, -COLUMNS_MAX), "F": (-1, -COLUMNS_MAX)}
"""Rows and columns for each step; E and F go to the row's beginning."""


def _width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _unfinished_bytes(data: bytes) -> int:
    """How many bytes at the end are the beginning of a character."""
    for count in range(1, min(4, len(data) + 1)):
        byte = data[-count]
        if byte >= 0xC0:
            return count if count < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) else 0
        if byte < 0x80:
            return 0
    return 0
