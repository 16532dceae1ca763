"""File search: the files below a directory that patterns name, without ever leaving it or walking in a circle.

A link to a folder is not followed, so each file is found once and the walk ends; it is bounded by entries and time all
the same, for a directory may hold more than anybody meant. What was left out is kept as sentences.
"""

import fnmatch
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ENTRIES_MAX = 2_000_000
LOOK_SECONDS = 60.0
ENTRIES_PER_LOOK_AT_THE_CLOCK = 1024
NAMES_SHOWN = 3

_ANYTHING = "**"
_MAGIC = frozenset("*?[")

_State = tuple[int, int]
"""A pattern, and the element of it that comes next."""


@dataclass(slots=True)
class LeftOut:
    """What a search passed over, by reason."""

    _names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Note a name; the reason reads behind `NAMES: `."""
        self._names.setdefault(reason, []).append(name)

    def sentences(self) -> Iterator[str]:
        """One sentence for each reason, with the first few names; in the order of the alphabet."""
        for reason, names in sorted(self._names.items(), key=lambda item: min(item[1])):
            more = len(names) - NAMES_SHOWN
            yield f"{', '.join(sorted(names)[:NAMES_SHOWN])}{f' and {more} more' if more > 0 else ''}: {reason}"


@dataclass(frozen=True, slots=True)
class Found:
    """The files by their names below the directory, sorted, and what was left out."""

    files: tuple[tuple[str, Path], ...]
    left_out: LeftOut


def search_files(
    patterns: Sequence[str],
    directory: Path,
    *,
    entries_max: int = ENTRIES_MAX,
    limit_seconds: float = LOOK_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """The regular files below a directory that a pattern matches.

    `*`, `?` and `[...]` match within a name, `**` any number of folders; hidden names match only what begins with a
    dot. A link to a file counts where its target lies below the directory too.

    Args:
        patterns: relative to the directory, or absolute and below it.
        directory: where to look; nothing outside of it is read.
        entries_max: so many names are looked at, at most.
        limit_seconds: so long it may take.
        clock: seconds, monotonic.
    """
    return _Search(patterns, directory, entries_max, limit_seconds, clock).run()


class _Search:
    def __init__(
        self,
        patterns: Sequence[str],
        directory: Path,
        entries_max: int,
        limit_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._root = directory.resolve()
        self._entries_left = entries_max
        self._limit_seconds = limit_seconds
        self._deadline = clock() + limit_seconds
        self._clock = clock
        self._is_cut_short = False
        self._left_out = LeftOut()
        self._found: dict[str, Path] = {}
        self._texts: list[str] = []
        self._parts: list[tuple[str, ...]] = []
        self._has_matched: set[int] = set()
        for pattern in dict.fromkeys(patterns):
            parts = _parts_below(pattern, directory, self._root)
            if parts is None:
                self._left_out.add(f"outside of the working directory {directory}", pattern)
            elif not parts:
                self._left_out.add("names no file: write ** for all of them", repr(pattern))
            else:
                self._texts.append(pattern)
                self._parts.append(parts)

    def run(self) -> Found:
        waiting: list[tuple[str, frozenset[_State]]] = [("", frozenset((i, 0) for i in range(len(self._parts))))]
        while waiting and not self._is_cut_short:
            waiting += self._look(*waiting.pop())
        if self._is_cut_short:
            words = f"the search stopped after {self._limit_seconds:.0f} s or too many files: name folders more closely"
            self._left_out.add(words, str(self._root))
        for number, text in enumerate(self._texts):
            if number not in self._has_matched:
                self._left_out.add("matches no file", text)
        return Found(self._once(), self._left_out)

    def _once(self) -> tuple[tuple[str, Path], ...]:
        """Each file once: under the name it has, else under the first of the links to it."""
        names: dict[Path, str] = {}
        for name, path in sorted(self._found.items()):
            real = path.resolve()
            if real == self._root / name or real not in names:
                if real in names:
                    self._left_out.add("another name of a file that is found", names[real])
                names[real] = name
            else:
                self._left_out.add("another name of a file that is found", name)
        return tuple(sorted((name, path) for path, name in names.items()))

    def _look(self, below: str, states: frozenset[_State]) -> Iterator[tuple[str, frozenset[_State]]]:
        """Match what is in one folder; the folders below it that may hold more."""
        # `**` may stand for no folder at all: what comes behind it is looked for here, too.
        here = {state for first in states for state in self._with_skipped(first)}
        place = self._root / below
        try:
            for name, kind in self._entries(place, here):
                after = frozenset(state for at in here for state in self._step(at, name))
                if after:
                    yield from self._enter(f"{below}/{name}" if below else name, kind, after)
        except OSError as error:
            self._left_out.add(f"cannot be read ({error.strerror})", below or ".")

    def _entries(self, place: Path, states: set[_State]) -> Iterator[tuple[str, int]]:
        """The names to match, each with its kind (`stat.S_IFMT`): those the patterns spell out, else all there are."""
        wanted = {self._parts[pattern][at] for pattern, at in states}
        if not any(is_pattern(part) for part in wanted):
            for name in sorted(wanted):
                with suppress(FileNotFoundError, NotADirectoryError):
                    yield name, stat.S_IFMT((place / name).lstat().st_mode)
            return
        with os.scandir(place) as entries:
            for number, entry in enumerate(entries):
                self._entries_left -= 1
                is_late = number % ENTRIES_PER_LOOK_AT_THE_CLOCK == 0 and self._clock() > self._deadline
                if self._entries_left < 0 or is_late:
                    self._is_cut_short = True
                    return
                yield entry.name, _kind(entry)

    def _with_skipped(self, state: _State) -> Iterator[_State]:
        pattern, at = state
        parts = self._parts[pattern]
        yield state
        while parts[at] == _ANYTHING and at + 1 < len(parts):
            at += 1
            yield pattern, at

    def _step(self, state: _State, name: str) -> Iterator[_State]:
        """Where a pattern stands after this name; behind its last element when the name ends it."""
        pattern, at = state
        parts = self._parts[pattern]
        if name.startswith(".") and not parts[at].startswith("."):
            return
        if parts[at] == _ANYTHING:
            yield state
            if at + 1 == len(parts):
                yield pattern, at + 1
        elif fnmatch.fnmatch(name, parts[at]) if is_pattern(parts[at]) else name == parts[at]:
            yield pattern, at + 1

    def _enter(self, name: str, kind: int, after: frozenset[_State]) -> Iterator[tuple[str, frozenset[_State]]]:
        """Take a file that ends a pattern; hand a folder back to be looked into."""
        ended = {pattern for pattern, at in after if at == len(self._parts[pattern])}
        going_on = frozenset((pattern, at) for pattern, at in after if at < len(self._parts[pattern]))
        if kind == stat.S_IFDIR:
            if going_on:
                yield name, going_on
            elif ended:
                self._left_out.add("a folder: write FOLDER/** for the files in it", name)
                self._has_matched |= ended
        elif kind == stat.S_IFLNK:
            yield from self._follow(name, self._root / name, ended, going_on)
        elif ended:
            self._take(name, self._root / name, kind, ended)

    def _follow(
        self, name: str, path: Path, ended: set[int], going_on: frozenset[_State]
    ) -> Iterator[tuple[str, frozenset[_State]]]:
        try:
            target, kind = path.resolve(strict=True), stat.S_IFMT(path.stat().st_mode)
        except (OSError, RuntimeError):
            if ended:
                self._left_out.add("a link that leads nowhere", name)
            return
        if not target.is_relative_to(self._root):
            if ended or kind == stat.S_IFDIR:
                self._left_out.add("a link that leads out of the working directory", name)
        elif kind != stat.S_IFDIR:
            if ended:
                self._take(name, target, kind, ended)
        elif named := frozenset(state for state in going_on if self._spells_out(state, name)):
            # Who writes `latest/*.txt` means the link. Each pattern spells out one name, so the walk still ends.
            yield name, named
        else:
            self._left_out.add("a linked folder is not followed", name)

    def _spells_out(self, state: _State, name: str) -> bool:
        pattern, at = state
        return "/".join(self._parts[pattern][:at]) == name

    def _take(self, name: str, path: Path, kind: int, ended: set[int]) -> None:
        self._has_matched |= ended
        if kind == stat.S_IFREG:
            self._found[name] = path
        else:
            self._left_out.add("no regular file", name)


def _parts_below(pattern: str, directory: Path, root: Path) -> tuple[str, ...] | None:
    """The pattern's elements below the directory; None where it leads out of it."""
    whole = os.path.normpath(pattern)
    if os.path.isabs(whole):  # noqa: PTH117  (a pattern is no path)
        bases = [base for base in (str(directory), str(root)) if whole.startswith(base.rstrip(os.sep) + os.sep)]
        if not bases:
            return None
        whole = whole[len(bases[0].rstrip(os.sep)) + 1 :]
    parts = Path(whole).parts
    return None if os.pardir in parts else parts


def _kind(entry: os.DirEntry[str]) -> int:
    # Folders usually know it of their entries: asking each file would take most of a search's time.
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else 0


def is_pattern(part: str) -> bool:
    """Whether it names more than what it spells out."""
    return not _MAGIC.isdisjoint(part)
