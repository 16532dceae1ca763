#!/usr/bin/env python3
"""Breakages: named, reversible edits of an example that make its build fail in a known way.

    examples/breakage.py list   TREE
    examples/breakage.py apply  TREE NAME
    examples/breakage.py revert TREE NAME
    examples/breakage.py expect TREE NAME

TREE is an example or a copy of one; each file `breaks/NAME.toml` in it is a breakage (README.md shows the form).
Edits name text instead of line numbers, so a breakage survives changes around it and says so when its text is gone.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BreakageError(ValueError):
    """The breakage does not exist, is malformed, or does not fit the tree as it stands."""


@dataclass(frozen=True)
class Edit:
    """One passage of one file; `old` occurs exactly once before the breakage, `new` exactly once after it."""

    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """The text with the breakage in it."""
        return self._swap(text, self.old, self.new)

    def reverted(self, text: str) -> str:
        """The text as it was before."""
        return self._swap(text, self.new, self.old)

    def _swap(self, text: str, old: str, new: str) -> str:
        if text.count(old) != 1:
            raise BreakageError(f"{self.file} holds {text.count(old)} times what should be there once: {old!r}")
        return text.replace(old, new)


@dataclass(frozen=True)
class Expectation:
    """What the log of the broken build shows.

    `log` is a regular expression that first matches on the line of the first real error. `file` and `at` are given
    where that line names a place: the place is the first line of `file` that holds the text `at`, after the edits.
    """

    log: str
    file: str | None = None
    at: str | None = None


@dataclass(frozen=True)
class Breakage:
    """One way to break an example, and what is known about the failure."""

    name: str
    summary: str
    category: str
    fault: str
    edit: list[Edit]
    expect: Expectation

    def apply(self, tree: Path) -> None:
        """Break the tree; raises BreakageError, and changes nothing, when an edit does not fit."""
        _write(tree, self._texts(tree, Edit.applied))

    def revert(self, tree: Path) -> None:
        """Mend the tree; raises BreakageError, and changes nothing, when the breakage is not in it."""
        _write(tree, self._texts(tree, Edit.reverted))

    def describe(self, tree: Path) -> dict[str, Any]:
        """The expectation with its line resolved, whether or not the breakage is applied at the moment."""
        return {
            "name": self.name,
            "summary": self.summary,
            "category": self.category,
            "fault": self.fault,
            "log": self.expect.log,
            "file": self.expect.file,
            "line": self._line(tree),
        }

    def _line(self, tree: Path) -> int | None:
        if self.expect.file is None or self.expect.at is None:
            return None
        text = (tree / self.expect.file).read_text()
        for edit in self.edit:
            if edit.file == self.expect.file and edit.new not in text:
                text = edit.applied(text)
        for number, line in enumerate(text.splitlines(), start=1):
            if self.expect.at in line:
                return number
        raise BreakageError(f"{self.name} expects {self.expect.at!r} in {self.expect.file}, which has no such line")

    def _texts(self, tree: Path, change: Callable[[Edit, str], str]) -> dict[str, str]:
        texts: dict[str, str] = {}
        for edit in self.edit:
            text = texts[edit.file] if edit.file in texts else (tree / edit.file).read_text()
            texts[edit.file] = change(edit, text)
        return texts


def names(tree: Path) -> list[str]:
    """The breakages of a tree, in alphabetical order."""
    return sorted(path.stem for path in (tree / "breaks").glob("*.toml"))


def load(tree: Path, name: str) -> Breakage:
    """Read one breakage; raises BreakageError when it is missing or malformed."""
    path = tree / "breaks" / f"{name}.toml"
    if not path.is_file():
        raise BreakageError(f"{tree} has no breakage {name}; it has {', '.join(names(tree)) or 'none'}")
    document = tomllib.loads(path.read_text())
    try:
        document["edit"] = [Edit(**edit) for edit in document["edit"]]
        document["expect"] = Expectation(**document["expect"])
        return Breakage(name=name, **document)
    except (KeyError, TypeError) as error:
        raise BreakageError(f"{path}: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the answer goes to stdout, what went wrong to stderr."""
    parser = argparse.ArgumentParser(description="Break an example on purpose, and mend it again.")
    parser.add_argument("command", choices=["list", "apply", "revert", "expect"])
    parser.add_argument("tree", type=Path)
    parser.add_argument("name", nargs="?")
    options = parser.parse_args(arguments)
    if options.command == "list":
        for name in names(options.tree):
            print(f"{name:24} {load(options.tree, name).summary}")
        return 0
    if options.name is None:
        parser.error(f"{options.command} needs the NAME of a breakage")
    try:
        breakage = load(options.tree, options.name)
        if options.command == "apply":
            breakage.apply(options.tree)
        elif options.command == "revert":
            breakage.revert(options.tree)
        else:
            print(json.dumps(breakage.describe(options.tree)))
    except BreakageError as error:
        print(f"breakage: {error}", file=sys.stderr)
        return 1
    return 0


def _write(tree: Path, texts: dict[str, str]) -> None:
    for file, text in texts.items():
        (tree / file).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
