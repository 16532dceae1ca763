"""Statistics: what the result matrix's results of each test of a lane come to. Pure."""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from heapq import merge
from itertools import islice
from typing import Any, Literal

from build_protocol.messages import Outcome
from build_protocol.model import BuildId, Count, EpochMs, WireModel
from pydantic import Field

from build_history.test_history.matrix import (
    NOT_RUN,
    OUTCOMES,
    Column,
    Partition,
    median_seconds,
    pack,
    seconds_of,
    unpack,
)

Order = Literal["name", "flaky", "slowest", "failing"]

# The symbols as three classes: P passed, F failed, K both in one build; skipped and not run prove nothing.
_CLASSES = str.maketrans("pxftcuok", "PPFFFFFK", "s" + NOT_RUN)
_SKIPPED = "s"
_FAILED = "ftcuo"
_ISOLATED = re.compile("(?<=P)F(?=P)")


class BuildOfTest(WireModel):
    """A build that ran a test."""

    build_id: BuildId
    commit: str | None = None
    started_at: EpochMs


class TestRun(BuildOfTest):
    """How a test went in one build."""

    __test__ = False  # pytest collects classes named Test*

    outcome: Outcome
    seconds: float | None = Field(None, description="To three figures; absent = the source did not say.")


class TestStatistic(WireModel):
    """One test in one config, over the newest builds of its lane that ran tests."""

    __test__ = False  # pytest collects classes named Test*

    name: str
    config: str
    runs: Count = Field(description="Builds in which it passed or failed.")
    passed: Count
    failed: Count
    skipped: Count
    pass_rate: float | None = Field(None, description="Of its runs; absent when it has none.")
    flaky_runs: Count = Field(
        description="Runs that tell nothing of their commit: it also came out otherwise, or a red alone between greens."
    )
    flakiness: float = Field(description="`flakyRuns` of its runs.")
    p50_seconds: float | None = None
    last_outcome: Outcome
    last_failure: BuildOfTest | None = None


@dataclass(slots=True)
class LaneStatistics:
    """All tests of one lane, a list per number: they are sorted and searched without making an object of each."""

    config: str
    builds: list[Column] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    flaky: list[int] = field(default_factory=list)
    seconds: list[float | None] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    last_failure: list[int] = field(default_factory=list)
    """Index in `builds`; -1: none."""

    _orders: dict[Order, list[int]] = field(default_factory=dict)
    _folded: list[str] = field(default_factory=list)

    def listed(self, order: Order, q: str | None) -> Sequence[int]:
        """Indexes of the tests that stand in an order, in that order; with `q` those whose name holds it."""
        if order not in self._orders:
            self._orders[order] = sorted(filter(self._listed(order), range(len(self.names))), key=self._key(order))
        indexes = self._orders[order]
        if not q:
            return indexes
        if len(self._folded) != len(self.names):
            self._folded = [name.casefold() for name in self.names]
        wanted, folded = q.casefold(), self._folded
        return [index for index in indexes if wanted in folded[index]]

    def _listed(self, order: Order) -> Callable[[int], bool]:
        if order == "flaky":
            return lambda index: self.flaky[index] > 0
        if order == "failing":
            return lambda index: self.failed[index] > 0
        return lambda index: order == "name" or self.seconds[index] is not None

    def _key(self, order: Order) -> Callable[[int], Any]:
        if order == "name":
            return self.names.__getitem__
        return lambda index: _rank(self, index, order)

    def to_text(self) -> str:
        """The statistics as text for a store."""
        columns = [getattr(self, name) for name in _STORED]
        return pack(json.dumps(columns, ensure_ascii=False, separators=(",", ":")))

    @classmethod
    def from_text(cls, text: str) -> "LaneStatistics":
        """The statistics of a text that `to_text` made."""
        config, builds, *columns = json.loads(unpack(text))
        return cls(config, [Column(*column) for column in builds], *columns)

    def at(self, index: int) -> TestStatistic:
        """One test's statistics."""
        passed, failed, flaky = self.passed[index], self.failed[index], self.flaky[index]
        runs = passed + failed
        red = self.last_failure[index]
        return TestStatistic(
            name=self.names[index],
            config=self.config,
            runs=runs,
            passed=passed,
            failed=failed,
            skipped=self.skipped[index],
            pass_rate=round(passed / runs, 4) if runs else None,
            flaky_runs=flaky,
            flakiness=round(flaky / runs, 4) if runs else 0.0,
            p50_seconds=self.seconds[index],
            last_outcome=OUTCOMES[self.last[index]],
            last_failure=_build(self.builds[red]) if red >= 0 else None,
        )


_STORED = tuple(known.name for known in fields(LaneStatistics) if not known.name.startswith("_"))


class StatisticsCache:
    """Statistics read lately, by row and version; parsing those of a large lane costs more than any question."""

    def __init__(self, tests_max: int = 200_000) -> None:
        self._tests_max = tests_max
        self._kept: OrderedDict[tuple[str, int], LaneStatistics] = OrderedDict()

    def read(self, key: str, version: int, text: str) -> LaneStatistics:
        """The statistics of a row's text."""
        known = self._kept.pop((key, version), None) or LaneStatistics.from_text(text)
        self._kept[key, version] = known
        # The oldest go first; an outdated version is asked for no more and so becomes one of them.
        while len(self._kept) > 1 and sum(len(lane.names) for lane in self._kept.values()) > self._tests_max:
            self._kept.popitem(last=False)
        return known


def statistics_of(config: str, partitions: Iterable[Partition]) -> LaneStatistics:
    """The statistics of a lane's partitions."""
    known = list(partitions)
    builds = sorted({column for partition in known for column in partition.columns})
    place = {column: index for index, column in enumerate(builds)}
    statistics = LaneStatistics(config, builds)
    for partition in known:
        for name, (symbols, seconds) in partition.tests.items():
            classes = symbols.translate(_CLASSES)
            both = classes.count("K")
            failed = classes.count("F")
            statistics.names.append(name)
            statistics.passed.append(classes.count("P") + both)
            statistics.failed.append(failed)
            statistics.skipped.append(symbols.count(_SKIPPED))
            statistics.flaky.append(both + (_flaky_reds(partition.columns, symbols, classes) if failed else 0))
            statistics.seconds.append(median_seconds(seconds))
            statistics.last.append(symbols.rstrip(NOT_RUN)[-1])
            red = max(symbols.rfind(symbol) for symbol in _FAILED) if failed else -1
            statistics.last_failure.append(place[partition.columns[red]] if red >= 0 else -1)
    return statistics


def selected(
    lanes: Sequence[LaneStatistics], q: str | None, order: Order, first: int, count: int
) -> tuple[list[TestStatistic], int]:
    """Tests `first`, `first + 1`... (at most `count`) of those whose name holds `q`, and how many there are.

    `flaky` and `failing` list only tests that ever were; `slowest` those whose seconds are known.
    """
    found = [lane.listed(order, q) for lane in lanes]
    ranked = (
        [(_rank(lane, index, order), number, index) for index in indexes]
        if len(lanes) > 1
        else [((), number, index) for index in indexes[first : first + count]]
        for number, (lane, indexes) in enumerate(zip(lanes, found, strict=True))
    )
    begin = first if len(lanes) > 1 else 0
    page = islice(merge(*ranked), begin, begin + count)
    return [lanes[number].at(index) for _, number, index in page], sum(map(len, found))


def runs_of(partition: Partition, name: str) -> list[TestRun]:
    """How a test went, newest first; builds that did not run it are left out."""
    symbols, seconds = partition.tests.get(name, ("", ""))
    return [
        TestRun(
            **dict(_build(partition.columns[at])),
            outcome=OUTCOMES[symbol],
            seconds=seconds_of(seconds[2 * at : 2 * at + 2]),
        )
        for at, symbol in reversed(list(enumerate(symbols)))
        if symbol != NOT_RUN
    ]


def _rank(lane: LaneStatistics, index: int, order: Order) -> tuple[float, float, str, str]:
    name, runs = lane.names[index], lane.passed[index] + lane.failed[index]
    if order == "flaky":
        return (-lane.flaky[index] / max(1, runs), -lane.flaky[index], name, lane.config)
    if order == "failing":
        # What fails now stands above what failed some time.
        return (lane.last[index] not in _FAILED, -lane.failed[index] / max(1, runs), name, lane.config)
    return (0.0 if order == "name" else -(lane.seconds[index] or 0.0), 0.0, name, lane.config)


def _flaky_reds(columns: Sequence[Column], symbols: str, classes: str) -> int:
    """Red runs that look flaky: their commit also passed, or they stand alone between greens."""
    green = {columns[at].commit for at, symbol in enumerate(symbols) if symbol in "px"} - {None}
    reds = [at for at, symbol in enumerate(symbols) if symbol in _FAILED]
    both = [columns[at].commit in green for at in reds]
    alone = [False] * len(reds)
    # `classes` holds the same reds in the same order, without the builds that prove nothing.
    isolated = {match.start() for match in _ISOLATED.finditer(classes)}
    for number, at in enumerate(index for index, symbol in enumerate(classes) if symbol == "F"):
        alone[number] = at in isolated
    return sum(one or other for one, other in zip(both, alone, strict=True))


def _build(column: Column) -> BuildOfTest:
    return BuildOfTest(build_id=column.build_id, commit=column.commit, started_at=column.started_at)
