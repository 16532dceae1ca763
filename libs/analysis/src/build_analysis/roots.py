"""Roots: failures that have one cause, as one group.

A header that is missing fails every file that includes it, one symbol every target that links it, one crashed tool
all its tests. What a tool prints of them differs in the file, the target and the place; what it calls the cause is the
same.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from build_analysis.failure import Failure
from build_analysis.rule import UNKNOWN, WRAPPER
from build_analysis.signature import normalise, stable_name

_NAMES = re.compile(r"'([^']{2,})'|\u2018([^\u2019]{2,})\u2019|`([^'`]{2,})['`]|\"([^\"]{2,})\"")
_SYMBOL = frozenset({"compile_error", "warning_as_error", "link_error", "tablegen_error"})
"""A diagnostic is the same one elsewhere only if it names what it is about."""
_TEST = frozenset({"lit_test_failure", "gtest_failure", "ctest_failure", "python_test_failure"})


@dataclass(frozen=True, slots=True)
class Root:
    """Failures with one cause, in the report's order; the first one stands for them."""

    failures: tuple[Failure, ...]

    @property
    def first(self) -> Failure:
        """The failure that stands for all."""
        return self.failures[0]

    @property
    def count(self) -> int:
        """How many failures it has."""
        return len(self.failures)

    def to_json(self) -> dict[str, object]:
        """The root in the wire's camelCase; its failures by the lines on which they stand."""
        return {
            "firstLine": self.first.first_line,
            "category": self.first.category,
            "message": self.first.message,
            "count": self.count,
            "lines": [one.first_line for one in self.failures],
        }


def roots(failures: Iterable[Failure]) -> list[Root]:
    """Failures grouped by their cause; the groups stand in the order of their first failures."""
    groups: dict[tuple[object, ...], list[Failure]] = {}
    for at, failure in enumerate(failures):
        groups.setdefault(_key(failure) or (at,), []).append(failure)
    return [Root(tuple(group)) for group in groups.values()]


def _key(failure: Failure) -> tuple[object, ...] | None:
    """What failures of one root share; None for one whose cause the log does not show, which is like no other."""
    if failure.rank >= WRAPPER or failure.rank >= UNKNOWN:
        return None
    message = normalise(failure.message)
    if failure.category in _TEST:
        # Numbers tell assertions apart; what a test could not load or run, it names.
        return (failure.category, failure.message) if _NAMES.search(failure.message) else None
    if failure.category in _SYMBOL and not _NAMES.search(failure.message):
        if failure.file is None:
            return None
        return failure.category, stable_name(failure.file), failure.line, message
    return failure.category, message
