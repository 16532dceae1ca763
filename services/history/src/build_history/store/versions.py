"""Versions of rows, for all that rewrites rows: other replicas rewrite them too, and one of them wins."""

from collections.abc import Mapping

from build_history.store.contract import Row


def version_of(known: Mapping[str, Row], key: str) -> int:
    """The version a row is written over: the one read, 0 where there was none."""
    return known[key].version if key in known else 0


def differs(old: Row, new: Row) -> bool:
    """Whether the row differs from the one stored."""
    return old != new or old.body != new.body
