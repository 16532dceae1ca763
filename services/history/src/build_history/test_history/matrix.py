"""The result matrix: how each test of a lane went in the lane's newest builds, a symbol and two digits a result. Pure.

A lane's tests lie in partitions by name, so that one is found without reading the others. A partition is a table:
a column per build (by start), a row per test. Entering a build again replaces its column, so repetition and order
change nothing.
"""

import base64
import json
import math
import sys
import zlib
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, get_args

from build_protocol.messages import Outcome, TestResult

BUILDS_MAX = 200
"""Builds of a lane the result matrix remembers."""

PARTITIONS = 64

SYMBOLS: Mapping[Outcome, str] = {
    "passed": "p",
    "xfailed": "x",
    "failed": "f",
    "timed_out": "t",
    "crashed": "c",
    "unresolved": "u",
    "xpassed": "o",
    "skipped": "s",
    "flaky": "k",
}
OUTCOMES: Mapping[str, Outcome] = {symbol: outcome for outcome, symbol in SYMBOLS.items()}
NOT_RUN = "."

# Seconds are kept as two digits of base 91 on a logarithmic scale: 0.1 ms to 15 hours, right to an eighth of a percent.
_DIGITS = "".join(chr(code) for code in range(35, 127) if chr(code) != "\\")
_LEAST_SECONDS = 1e-4
_RATIO = math.log(1.0025)
_LEVELS = len(_DIGITS) ** 2
UNKNOWN_SECONDS = _DIGITS[0] * 2


class Column(NamedTuple):
    """A build of the lane."""

    started_at: int
    build_id: str
    commit: str | None


class Entry(NamedTuple):
    """One result: a symbol of `SYMBOLS` and two digits of seconds."""

    symbol: str
    seconds: str


@dataclass(slots=True)
class Partition:
    """Some tests of a lane; of each test its symbols and its seconds, one after the other, a place per column."""

    columns: list[Column] = field(default_factory=list)
    tests: dict[str, tuple[str, str]] = field(default_factory=dict)

    def enter(self, column: Column, entries: Mapping[str, Entry]) -> None:
        """Enter a build's results; an earlier entry of the same build is replaced."""
        self._forget(column.build_id)
        at = bisect_left(self.columns, column)
        if at == 0 and len(self.columns) >= BUILDS_MAX:
            return  # older than all that is remembered
        width = len(self.columns)
        self.columns.insert(at, column)
        missing = Entry(NOT_RUN, UNKNOWN_SECONDS)
        for name, (symbols, seconds) in self.tests.items():
            symbol, digits = entries.get(name, missing)
            self.tests[name] = (symbols[:at] + symbol + symbols[at:], seconds[: 2 * at] + digits + seconds[2 * at :])
        for name in entries.keys() - self.tests.keys():
            symbol, digits = entries[name]
            after = width - at
            self.tests[name] = (
                NOT_RUN * at + symbol + NOT_RUN * after,
                UNKNOWN_SECONDS * at + digits + UNKNOWN_SECONDS * after,
            )
        if len(self.columns) > BUILDS_MAX:
            self._remove(0)

    def _forget(self, build_id: str) -> None:
        for at, column in enumerate(self.columns):
            if column.build_id == build_id:
                self._remove(at)
                return

    def _remove(self, at: int) -> None:
        del self.columns[at]
        kept = {
            name: (symbols[:at] + symbols[at + 1 :], seconds[: 2 * at] + seconds[2 * at + 2 :])
            for name, (symbols, seconds) in self.tests.items()
        }
        self.tests = {name: row for name, row in kept.items() if row[0].strip(NOT_RUN)}


def partition_of(name: str) -> int:
    """The number of the partition a test lies on: the same for life."""
    return zlib.crc32(name.encode("utf-8", "replace")) % PARTITIONS


def entries_of(results: Iterable[TestResult]) -> dict[int, dict[str, Entry]]:
    """A build's results by partition and name. A test that ran again and came out otherwise is flaky."""
    entries: defaultdict[int, dict[str, Entry]] = defaultdict(dict)
    for result in results:
        partition = entries[partition_of(result.name)]
        entry = Entry(SYMBOLS[result.outcome], _digits(result.seconds))
        known = partition.get(result.name)
        partition[result.name] = entry if known is None else _both(known, entry)
    return entries


def packed(partition: Partition) -> str:
    """The partition as text for a store."""
    body = json.dumps([partition.columns, partition.tests], ensure_ascii=False, separators=(",", ":"))
    return pack(body)


def unpacked(text: str) -> Partition:
    """The partition of a text that `packed` made."""
    columns, tests = json.loads(unpack(text))
    return Partition([Column(*column) for column in columns], {name: (row[0], row[1]) for name, row in tests.items()})


def pack(text: str) -> str:
    """Compressed, in characters every store takes."""
    return base64.b85encode(zlib.compress(text.encode("utf-8", "surrogatepass"), 6)).decode("ascii")


def unpack(text: str) -> str:
    """What `pack` was given."""
    return zlib.decompress(base64.b85decode(text)).decode("utf-8", "surrogatepass")


def seconds_of(digits: str) -> float | None:
    """The seconds of two digits, to three figures; None where unknown."""
    level = _DIGITS.index(digits[0]) * len(_DIGITS) + _DIGITS.index(digits[1])
    if level == 0:
        return None
    return float(f"{_LEAST_SECONDS * math.exp((level - 1) * _RATIO):.3g}") if level > 1 else 0.0


def median_seconds(digits: str) -> float | None:
    """The median (nearest rank) of many results' seconds; None where none is known."""
    levels = array("H", digits.encode("ascii"))
    if sys.byteorder == "little":
        levels.byteswap()  # so that numbers compare as their digits do
    known = sorted(level for level in levels if level != _UNKNOWN_LEVEL)
    if not known:
        return None
    middle = known[(len(known) - 1) // 2]
    return seconds_of(chr(middle >> 8) + chr(middle & 0xFF))


_UNKNOWN_LEVEL = ord(_DIGITS[0]) << 8 | ord(_DIGITS[0])


def _digits(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN_SECONDS
    above = math.log(seconds / _LEAST_SECONDS) / _RATIO if seconds > _LEAST_SECONDS else 0.0
    high, low = divmod(min(_LEVELS - 1, 1 + round(above)), len(_DIGITS))
    return _DIGITS[high] + _DIGITS[low]


def _both(one: Entry, other: Entry) -> Entry:
    """Two runs of one test in one build: the same outcome stays, skipped proves nothing, else it is flaky."""
    longest = max(one.seconds, other.seconds)
    ran = {entry.symbol for entry in (one, other)} - {SYMBOLS["skipped"]}
    if len(ran) == 1:
        return Entry(ran.pop(), longest)
    return Entry(SYMBOLS["flaky"] if ran else SYMBOLS["skipped"], longest)


if set(get_args(Outcome)) != set(SYMBOLS):
    raise AssertionError("every outcome needs its symbol")
