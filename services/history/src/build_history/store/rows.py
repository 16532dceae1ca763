"""What facts and rows look like in a store, the same names in both drivers."""

from collections.abc import Iterable
from typing import Any

from build_history.builds.index_keys import Touched
from build_history.store.contract import Row


def row_values(row: Row) -> dict[str, Any]:
    """All of a row but its key, as the version after the one read."""
    return {
        "kind": row.kind,
        "project": row.project,
        "scope": row.scope,
        "label": row.label,
        "rank": row.rank,
        "version": row.version + 1,
        "body": row.body,
    }


def stale_values(stale: Iterable[Touched]) -> list[list[str]]:
    """The derived rows not yet brought up to a fact, as JSON has them."""
    return sorted([touched.kind, *touched.words] for touched in stale)


def stale_of(values: Iterable[list[str]]) -> frozenset[Touched]:
    """They, back from JSON."""
    return frozenset(Touched(kind, tuple(words)) for kind, *words in values)
