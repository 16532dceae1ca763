"""Compiler caches: how many hits and misses ccache and sccache counted while the build ran.

Both count for a whole cache, not for a build: builds at the same time that share it count too. A tool is asked only
where it may be in use, with a limit, and never by the build itself.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from build_dashboard.evidence.asking import output

_ALONE = {"ccache": re.compile(r"(?<!s)ccache"), "sccache": re.compile(r"sccache")}
_VARIABLES = ("CC", "CXX", "RUSTC_WRAPPER", "CMAKE_C_COMPILER_LAUNCHER", "CMAKE_CXX_COMPILER_LAUNCHER")
_CONFIGURED = re.compile(r"COMPILER_LAUNCHER|CCACHE_BUILD|RULE_LAUNCH")
_COMPILERS = ("cc", "c++", "gcc", "g++", "clang", "clang++")
_CCACHE_HITS = ("direct_cache_hit", "preprocessed_cache_hit", "cache_hit_direct", "cache_hit_preprocessed")
_CCACHE_MISSES = ("cache_miss",)


@dataclass(frozen=True, slots=True)
class Lookups:
    """What a cache has counted, in all or during a build."""

    hits: int
    misses: int

    def since(self, before: "Lookups") -> "Lookups | None":
        """What was counted since; None when nothing was, or when the counters were reset."""
        hits, misses = self.hits - before.hits, self.misses - before.misses
        return Lookups(hits, misses) if hits >= 0 and misses >= 0 and hits + misses else None


def tools_in_use(command: Sequence[str], configured: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The caches that the command, the configuration (texts of CMakeCache.txt), variables or the search path name."""
    named = [*command, *(environment.get(name, "") for name in _VARIABLES)]
    for text in configured:
        named += [line for line in text.splitlines() if _CONFIGURED.search(line) and not line.endswith(("=OFF", "="))]
    path = environment.get("PATH")
    named += [os.path.realpath(found) for name in _COMPILERS if (found := shutil.which(name, path=path))]
    words = " ".join(named).lower()
    return [tool for tool, alone in _ALONE.items() if alone.search(words)]


def count(tool: str, cwd: str) -> Lookups | None:
    """What this cache has counted so far; None when it does not say."""
    if tool == "ccache":
        return read_ccache(output(["ccache", "--print-stats"], cwd) or "")
    return read_sccache(output(["sccache", "--show-stats", "--stats-format=json"], cwd) or "")


def read_ccache(text: str) -> Lookups | None:
    """Of `ccache --print-stats`: a name and a number a line."""
    numbers = {
        name: int(value) for name, _, value in (line.partition("\t") for line in text.splitlines()) if value.isdigit()
    }
    if not any(name in numbers for name in (*_CCACHE_HITS, *_CCACHE_MISSES)):
        return None
    return Lookups(sum(numbers.get(n, 0) for n in _CCACHE_HITS), sum(numbers.get(n, 0) for n in _CCACHE_MISSES))


def read_sccache(text: str) -> Lookups | None:
    """Of `sccache --show-stats --stats-format=json`: counts by language."""
    try:
        stats = json.loads(text)["stats"]
        hits, misses = stats["cache_hits"]["counts"], stats["cache_misses"]["counts"]
        return Lookups(sum(map(int, hits.values())), sum(map(int, misses.values())))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
