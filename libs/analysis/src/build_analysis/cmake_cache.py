"""CMakeCache.txt: what a build directory is configured with, and what differs between two configurations."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ENTRY = re.compile(r'^("[^"]+"|[A-Za-z0-9_./+-][^:=]*):([A-Z]+)=(.*)$')
_SET_BY_PEOPLE = frozenset({"BOOL", "STRING", "PATH", "FILEPATH", "UNINITIALIZED"})
"""INTERNAL and STATIC entries are CMake's own notes, thousands of them; what people set is none of these."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that differs; None: it is not there."""

    name: str
    before: str | None
    after: str | None


def read_cmake_cache(text: str) -> dict[str, str]:
    """What people set in a CMakeCache.txt, by name; CMake's own notes are left out."""
    return dict(_entries(text))


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """What differs between two configurations, by name.

    Args:
        before: The earlier configuration, as `read_cmake_cache` gives it.
        after: The later one.

    Returns:
        One change per name that was added, removed or set to another value, sorted by name.
    """
    names = sorted(before.keys() | after.keys())
    return [Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line[:1] not in ("", "#", "/") and (match := _ENTRY.match(line)) and match[2] in _SET_BY_PEOPLE:
            yield match[1].strip('"'), match[3]
