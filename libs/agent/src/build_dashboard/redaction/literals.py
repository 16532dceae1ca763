"""Searching a text for hundreds of literals at once: which of its lines are worth a second look.

By hyperscan where there is a wheel of it, which costs a tenth of what all else does with the bytes; without it literal
by literal: slower, with the same results.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

Span = tuple[int, int]

FEW_BYTES = 8 * 1024
"""As long as no more than this was searched, going literal by literal costs less than loading the engine would."""


class LineSearch:
    """Finds the lines of a text that contain one of the literals, or match one of the expressions within them.

    Args:
        literals: None has a line feed in it.
        expressions: In the syntax that Python and hyperscan share; none goes on behind a line feed.
    """

    def __init__(self, literals: Iterable[bytes], expressions: Iterable[bytes] = ()) -> None:
        self._literals = shortest(literals)
        self._expressions = list(expressions)
        self._lock = threading.Lock()  # a database's scratch space is for one thread at a time
        self._database: Any = None
        self._searched_bytes = 0

    def lines(self, data: bytes) -> Iterator[Span]:
        """Where those lines begin and end (without their line feeds), in order."""
        reached = -1
        for end in self._ends(data):
            if end - 1 <= reached:
                continue
            start = data.rfind(b"\n", 0, end - 1) + 1
            reached = data.find(b"\n", end - 1)  # an expression may take the line feed with it
            if reached < 0:
                reached = len(data)
            yield start, reached

    def _ends(self, data: bytes) -> list[int]:
        self._searched_bytes += len(data)
        if self._searched_bytes <= FEW_BYTES or (engine := hyperscan()) is None:
            return self._ends_one_by_one(data)
        database = self._prepared(engine)
        ends: list[int] = []

        def note(_index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            ends.append(end)

        with self._lock:
            database.scan(data, match_event_handler=note)
        return ends

    def _prepared(self, engine: ModuleType) -> Any:
        with self._lock:
            if self._database is None:
                self._database = self._compile(engine)
            return self._database

    def _compile(self, engine: ModuleType) -> Any:
        expressions = [*map(re.escape, self._literals), *self._expressions]
        database = engine.Database(mode=engine.HS_MODE_BLOCK)
        database.compile(
            expressions=expressions,
            ids=list(range(len(expressions))),
            elements=len(expressions),
            flags=[engine.HS_FLAG_MULTILINE] * len(expressions),
        )
        return database

    def _ends_one_by_one(self, data: bytes) -> list[int]:
        ends = []
        for literal in self._literals:
            at = data.find(literal)
            while at >= 0:
                ends.append(at + len(literal))
                at = data.find(literal, at + 1)
        for expression in self._expressions:
            ends += [match.end() for match in re.finditer(expression, data, re.MULTILINE)]
        return sorted(ends)


def shortest(literals: Iterable[bytes]) -> list[bytes]:
    """The literals without those that contain another: its line is found anyway, and compiling takes a fifth."""
    found: dict[bytes, None] = {}
    sizes: set[int] = set()
    for literal in sorted(set(literals), key=lambda one: (len(one), one)):
        parts = {literal[start : start + size] for size in sizes for start in range(len(literal) - size + 1)}
        if parts.isdisjoint(found):
            found[literal] = None
            sizes.add(len(literal))
    return list(found)


@cache
def hyperscan() -> ModuleType | None:
    """The engine, loaded when it is first needed: a command must not wait for it."""
    try:
        return import_module("hyperscan")
    except ImportError:  # no wheel for this machine
        return None
