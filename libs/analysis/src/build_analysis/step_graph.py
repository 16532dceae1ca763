"""The graph of a `build.ninja`, and the longest chain of steps through it: no machine builds faster than that chain.

Read are the statements of the file itself, as CMake writes them; `include` and `subninja` are not followed.
"""

import re
from collections.abc import Iterable, Sequence

from build_analysis.ninja_files import BuiltStep

_SPACES = re.compile(r"(?<!\$) +")
_ESCAPE = re.compile(r"\$(?=[ :$])")


class StepGraph:
    """Which statement makes which path, and from what. Inputs are read when asked for: most never are."""

    def __init__(self, text: str) -> None:
        self._maker: dict[str, int] = {}
        self._inputs: list[str] = []
        for line in text.replace("$\n", "").split("\n"):
            if line.startswith("build "):
                outputs, _, rest = line[6:].partition(": ")
                for path in _paths(outputs):
                    self._maker[path] = len(self._inputs)
                self._inputs.append(rest)

    def maker(self, path: str) -> int | None:
        """The number of the statement that makes this path."""
        return self._maker.get(path)

    def readers(self) -> dict[int, list[int]]:
        """For each statement, those that take what it makes."""
        readers: dict[int, list[int]] = {}
        for place in range(len(self._inputs)):
            for maker in self._makers(place):
                readers.setdefault(maker, []).append(place)
        return readers

    def critical_path(self, steps: Sequence[BuiltStep]) -> list[BuiltStep]:
        """The steps of the longest chain, first step first; steps that the graph does not know are left out."""
        built: dict[int, BuiltStep] = {}
        for step in steps:
            for path in step.outputs:
                if path in self._maker:
                    built[self._maker[path]] = step
        before = self._longest_before(list(built), built)
        place = max(built, key=lambda made: before[made][0] + built[made].duration_ms, default=None)
        chain: list[BuiltStep] = []
        while place is not None:
            if place in built:
                chain.append(built[place])
            place = before[place][1]
        return chain[::-1]

    def _longest_before(self, wanted: list[int], built: dict[int, BuiltStep]) -> dict[int, tuple[int, int | None]]:
        """For each statement: how long the longest chain before it takes, and through which statement it comes."""
        longest: dict[int, tuple[int, int | None]] = {}
        entered: set[int] = set()
        todo = wanted
        while todo:
            place = todo[-1]
            if place in longest:
                todo.pop()
                continue
            makers = self._makers(place)
            if place not in entered:
                entered.add(place)
                # One that was entered and is not known yet is above us: a phony target that names itself.
                if later := [maker for maker in makers if maker not in longest and maker not in entered]:
                    todo += later
                    continue
            best: tuple[int, int | None] = (0, None)
            for maker in makers:
                if maker in longest:
                    step = built.get(maker)
                    best = max(best, (longest[maker][0] + (step.duration_ms if step else 0), maker), key=_length)
            longest[place] = best
            todo.pop()
        return longest

    def _makers(self, place: int) -> list[int]:
        _, _, inputs = self._inputs[place].partition(" ")
        inputs = inputs.partition(" |@ ")[0]  # validations are not waited for
        return [self._maker[path] for path in dict.fromkeys(_paths(inputs)) if path in self._maker]


class Followers:
    """Everything that is made, over any number of steps, from the paths added so far."""

    def __init__(self, graph: StepGraph) -> None:
        self._graph = graph
        self._readers = graph.readers()
        self._found: set[int] = set()

    def add(self, paths: Iterable[str]) -> None:
        """These are made anew."""
        todo = [maker for path in paths if (maker := self._graph.maker(path)) is not None]
        while todo:
            later = [place for place in self._readers.get(todo.pop(), ()) if place not in self._found]
            self._found.update(later)
            todo += later

    def __contains__(self, path: str) -> bool:
        return self._graph.maker(path) in self._found


def _length(chain: tuple[int, int | None]) -> int:
    return chain[0]


def _paths(text: str) -> list[str]:
    if "$" not in text:
        return [path for path in text.split(" ") if path not in ("", "|", "||")]
    return [_ESCAPE.sub("", path) for path in _SPACES.split(text) if path not in ("", "|", "||")]
