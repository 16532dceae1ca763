"""Searching for hundreds of literals in one pass, by google-re2 where a wheel of it is installed.

Without it both functions answer None, and the callers search literal by literal: slower, with the same results.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import ModuleType

re2: ModuleType | None
try:
    re2 = import_module("re2")
except ImportError:  # no wheel for this machine (ppc64le, riscv64)
    re2 = None


def row_search(literals: Sequence[str]) -> Callable[[str], Iterator[int]] | None:
    """A search for the rows of a text, counted from 0, that contain one of the literals."""
    if re2 is None:
        return None
    alternatives = b"|".join(re2.escape(literal.encode()) for literal in literals)
    pattern = re2.compile(b"[^\n]*?(?:" + alternatives + b")[^\n]*")

    def rows(text: str) -> Iterator[int]:
        data = text.encode("utf-8", "replace")
        row = counted_to = 0
        for match in pattern.finditer(data):
            row += data.count(b"\n", counted_to, match.start())
            counted_to = match.start()
            yield row

    return rows


def literal_search(literals: Sequence[str]) -> Callable[[str], Sequence[int]] | None:
    """A search for which of the literals a line contains, by their indexes."""
    if re2 is None:
        return None
    options = re2.Options()
    options.literal = True
    known = re2.Set.SearchSet(options)
    for literal in literals:
        known.Add(literal.encode())
    known.Compile()

    def indexes(line: str) -> Sequence[int]:
        return known.Match(line.encode("utf-8", "replace")) or ()

    return indexes
