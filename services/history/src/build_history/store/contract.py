"""What history's store promises, whichever driver keeps it.

Two partitions: facts, found again by the tags they are filed under, and rows derived from them, found by key or listed
by rank. Every write names the version it replaces and happens only if that is still the one stored: a lost race
writes nothing and learns it, a repeated write changes nothing. Everything else is computed above, by pure functions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol

from build_chassis.store.contract import Store

from build_history.builds.fact import Fact, Point
from build_history.builds.index_keys import Touched

READS_AT_ONCE = 4
"""Questions that one refresh asks the store at the same time: enough to overlap, few enough to leave others room."""


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact, its version, and the derived rows not yet brought up to it."""

    fact: Fact
    version: int
    stale: frozenset[Touched]


@dataclass(frozen=True, slots=True)
class FactWrite:
    """A fact to be stored in place of version `replaces` (0: it is new) of `old`."""

    fact: Fact
    stale: frozenset[Touched]
    replaces: int = 0
    old: Fact | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A derived row; `version` is the one read, 0 for a row that was not there.

    `scope` and `label` are what it is listed by besides its project, `rank` (a time in milliseconds, or days) orders.
    `body` is its model as JSON text: no driver looks into it, and pages of them are parsed at once.
    """

    kind: str
    key: str
    project: str
    scope: str
    label: str
    rank: int
    body: str = field(compare=False)
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PointQuery:
    """The points filed under a tag: from `since_at` on, before `before_at`, at most `limit`."""

    tag: str
    _: KW_ONLY
    limit: int
    newest_first: bool = True
    since_at: int | None = None
    before_at: int | None = None


@dataclass(frozen=True, slots=True)
class RowQuery:
    """The rows of a kind, beyond (rank, key) `after`, with rank >= `since_rank`, at most `limit`.

    It is the one listing of the service: a filter per column beats a method per question.
    """

    kind: str
    _: KW_ONLY
    limit: int
    project: str | None = None
    scopes: Collection[str] | None = None
    labels: Collection[str] | None = None
    label_prefix: str | None = None
    newest_first: bool = True
    after: tuple[int, str] | None = None
    since_rank: int | None = None


class HistoryStore(Store, Protocol):
    """The store; every method raises StoreUnavailable when it does not answer."""

    async def facts(self, build_ids: Collection[str]) -> dict[str, StoredFact]:
        """Those of these builds that have a fact."""
        ...

    async def put_facts(self, writes: Sequence[FactWrite]) -> set[str]:
        """Store each fact whose version still is `replaces`, filed under its tags; the ids that were. Key: build id."""
        ...

    async def settle(self, settled: Mapping[str, int]) -> None:
        """Forget that rows are stale, for each build (id: version) whose version is unchanged. Key: build id."""
        ...

    async def drop_facts(self, facts: Sequence[Fact]) -> None:
        """Forget these facts; one that is already gone changes nothing. Key: build id."""
        ...

    async def points(self, query: PointQuery) -> list[Point]:
        """Points filed under a tag, by start."""
        ...

    async def received(self, *, before_at: int, limit: int) -> list[Point]:
        """Points of the facts that are kept from before this time, the first received first."""
        ...

    async def count_facts(self, before_at: int | None = None) -> int:
        """How many facts there are, or are kept from before this time."""
        ...

    async def points_by_tag(self, tags: Collection[str], *, limit: int) -> dict[str, list[Point]]:
        """For each of these tags the newest points filed under it, newest first, at most `limit` each."""
        ...

    async def rows_by_key(self, keys: Collection[str]) -> dict[str, Row]:
        """Those of these rows that exist."""
        ...

    async def put_rows(self, rows: Sequence[Row]) -> set[str]:
        """Store each row whose version still is the one read; the keys that were. Key: the row's key."""
        ...

    async def drop_rows(self, rows: Sequence[Row]) -> None:
        """Drop each row whose version still is the one read. Key: the row's key."""
        ...

    async def rows(self, query: RowQuery) -> list[Row]:
        """Rows of a kind that match every filter given, by (rank, key)."""
        ...
