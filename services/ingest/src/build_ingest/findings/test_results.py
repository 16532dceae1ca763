"""Test results of a build: packed into blocks as they are found, and merged, filtered and counted when asked for. Pure.

There are two sources. Records carry what the agent read in structured reports (JUnit XML): block `n` is that of
record `n`. The others are read from the log's lines: block `n` holds the n-th thousand of them. Reading a build
again, from the start or after a crash, makes the same blocks under the same keys.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import zstandard
from build_analysis.test_results import TestResult
from build_protocol import messages
from build_protocol.messages import BuildMetrics, Outcome
from build_protocol.views import TestPage
from pydantic_core import from_json, to_json

BLOCK_RESULTS = 1000
NAME_CHARACTERS = 8192
"""What the wire takes of a name."""

Source = Literal["record", "log"]
Sort = Literal["order", "slowest"]

_PASSED: frozenset[Outcome] = frozenset({"passed", "xfailed", "flaky"})
"""What a test driver does not count as a failure; a test that was expected to fail and did is well."""


class Result(NamedTuple):
    """One run of one test, as it is read back: a hundred thousand of these are made for every page."""

    name: str
    outcome: Outcome
    tool: str | None = None
    seconds: float | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ResultBlock:
    """Results of one source that follow each other. `packed` is a zstd frame of their columns."""

    build_id: str
    source: Source
    number: int
    count: int
    packed: bytes


class LogBlocks:
    """The blocks that the results of one log fill, in order."""

    def __init__(self, build_id: str) -> None:
        self._build_id = build_id
        self._number = 1
        self._open: list[TestResult] = []
        self.is_behind = False
        """Whether there are results that `keep` was not called for."""

    @property
    def is_full(self) -> bool:
        """Whether whole blocks wait."""
        return len(self._open) >= BLOCK_RESULTS

    @property
    def found_any(self) -> bool:
        """Whether there was any result."""
        return bool(self._open) or self._number > 1

    def add(self, results: Sequence[TestResult]) -> None:
        """Add the results of the next lines."""
        if results:
            self._open.extend(results)
            self.is_behind = True

    def unkept(self) -> list[ResultBlock]:
        """The blocks to store now; the last of them may grow yet, and is stored again then."""
        pieces = [self._open[at : at + BLOCK_RESULTS] for at in range(0, len(self._open), BLOCK_RESULTS)]
        return [pack(self._build_id, "log", number, piece) for number, piece in enumerate(pieces, self._number)]

    def keep(self) -> None:
        """They are stored: forget the full ones."""
        full = len(self._open) // BLOCK_RESULTS
        del self._open[: full * BLOCK_RESULTS]
        self._number += full
        self.is_behind = False


def pack(build_id: str, source: Source, number: int, results: Sequence[TestResult | Result]) -> ResultBlock:
    """One block of results."""
    columns = [[getattr(result, name) for result in results] for name in Result._fields]
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(to_json(columns))
    return ResultBlock(build_id, source, number, len(results), packed)


def reported_in(record: dict[str, Any]) -> list[Result]:
    """The results that a stored record carries, as its agent reported them."""
    tests = record.get("data", {}).get("tests") or []
    return [
        Result(each["name"], each["outcome"], each.get("tool"), each.get("seconds"), each.get("line")) for each in tests
    ]


def merged(blocks: Iterable[ResultBlock]) -> list[Result]:
    """All results of a build, in order: those of records, then those that only the log has.

    A record's result wins over the log's for the same test, and takes the log's line.
    """
    reported: list[Result] = []
    read: list[Result] = []
    for block in blocks:
        (reported if block.source == "record" else read).extend(_unpack(block))
    if not reported or not read:
        return reported or read
    places = {key: place for place, key in enumerate(_keys([result.name for result in reported]))}
    only_read = []
    for result, key, at_root in zip(read, _keys([r.name for r in read]), _keys(map(_at_root, read)), strict=True):
        place = places.get(key, places.get(at_root))
        if place is None:
            only_read.append(result)
        elif reported[place].line is None:
            reported[place] = Result(*reported[place][:4], result.line)
    return reported + only_read


def page_of(
    results: Sequence[Result],
    *,
    outcomes: Collection[str] = (),
    q: str | None = None,
    sort: Sort = "order",
    first: int = 0,
    count: int = 100,
) -> TestPage:
    """Results `first` and following (counted from 0) of those wanted; the counts are of all of the build's."""
    wanted: Iterable[Result] = results
    if outcomes:
        wanted = (result for result in wanted if result.outcome in outcomes)
    if q:
        part = q.lower()
        wanted = (result for result in wanted if part in result.name.lower())
    if sort == "slowest":
        wanted = sorted(wanted, key=lambda result: result.seconds or 0.0, reverse=True)
    shown = list(islice(wanted, first, first + count + 1))
    seconds = [result.seconds for result in results if result.seconds is not None]
    return TestPage(
        items=[_on_wire(result) for result in shown[:count]],
        counts=dict(Counter(map(attrgetter("outcome"), results))),
        total_seconds=round(sum(seconds), 3) if seconds else None,
        next_cursor=str(first + count) if len(shown) > count else None,
    )


def counts_of(results: Sequence[Result]) -> BuildMetrics:
    """How many tests passed, failed and were skipped, as a build's metrics."""
    counts = Counter(map(attrgetter("outcome"), results))
    passed = sum(counts[outcome] for outcome in _PASSED)
    return BuildMetrics(
        tests_passed=passed,
        tests_failed=len(results) - passed - counts["skipped"],
        tests_skipped=counts["skipped"],
    )


_WORDS = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\n"
_SEPARATORS = bytes(byte if byte in _WORDS or byte >= 0x80 else ord(".") for byte in range(256))


def _keys(names: Iterable[str]) -> list[bytes]:
    """What names are compared by: their words.

    `MLIR :: Dialect/a.mlir` is `MLIR.Dialect.a.mlir`, `tests/test_x.py::test_y` is `tests.test_x.test_y`.
    """
    # All at once: one by one, a hundred thousand names would take longer than reading them.
    joined = "\n".join(name.replace("\n", " ") for name in names).replace(".py::", ".").encode(errors="replace")
    joined = joined.translate(_SEPARATORS)
    while b".." in joined:
        joined = joined.replace(b"..", b".")
    return joined.split(b"\n")


def _at_root(result: Result) -> str:
    """The name in lit's report of a test that lies in no folder: it has its suite twice."""
    suite, _, path = result.name.partition(" :: ")
    return result.name if "/" in path or not path else f"{suite}.{suite}.{path}"


def _unpack(block: ResultBlock) -> Iterable[Result]:
    columns = from_json(zstandard.ZstdDecompressor().decompress(block.packed))
    return map(Result._make, zip(*columns, strict=True))


def _on_wire(result: Result) -> messages.TestResult:
    return messages.TestResult(**result._asdict() | {"name": result.name[:NAME_CHARACTERS]})
