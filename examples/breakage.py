#!/usr/bin/env python3
"""Breakages: named, reversible edits of an example that make its build fail in a known way.

    examples/breakage.py list   TREE
    examples/breakage.py apply  TREE NAME
    examples/breakage.py revert TREE NAME
    examples/breakage.py expect TREE NAME
    examples/breakage.py verify TREE [NAME...] [--compiler gcc|clang]

TREE is an example or a copy of one; each file `breaks/NAME.toml` in it is a breakage (README.md shows the form).
Edits name text instead of line numbers, so a breakage survives changes around it and says so when its text is gone.
"""

import argparse
import json
import os
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

COMPILERS = ("gcc", "clang")


class BreakageError(ValueError):
    """The breakage does not exist, is malformed, or does not fit the tree as it stands."""


@dataclass(frozen=True)
class Edit:
    """One passage of one file; `old` occurs exactly once before the breakage, `new` exactly once after it.

    Without `old` the whole file is new. `hours_ahead` dates such a file into the future, as a skewed clock does.
    """

    file: str
    new: str
    old: str | None = None
    hours_ahead: float = 0

    def applied(self, text: str | None) -> str | None:
        """The text with the breakage in it; None stands for a file that does not exist."""
        return self._swap(text, self.old, self.new)

    def reverted(self, text: str | None) -> str | None:
        """The text as it was before."""
        return self._swap(text, self.new, self.old)

    def is_in(self, text: str | None) -> bool:
        """Whether the text is broken already."""
        if text is None or self.new not in text:
            return False
        return self.old is None or self.old in self.new or self.old not in text

    def _swap(self, text: str | None, old: str | None, new: str | None) -> str | None:
        if self.old is None:
            if text != old:
                raise BreakageError(f"{self.file} is {'there already' if old is None else 'not as it was made'}")
            return new
        if text is None:
            raise BreakageError(f"{self.file} does not exist")
        if old is None or new is None or text.count(old) != 1:
            raise BreakageError(f"{self.file} holds {text.count(old or '')} times what should be there once: {old!r}")
        return text.replace(old, new)


@dataclass(frozen=True)
class Limits:
    """What the build may use, where the breakage is a machine that has too little; None is no limit."""

    address_space_mb: int | None = None  # of each process
    cpu_seconds: int | None = None  # of each process, which is then killed
    file_size_mb: int | None = None  # of each file
    disk_mb: int | None = None  # of the build directory, which is a file system of this size


@dataclass(frozen=True)
class Expectation:
    """What the log of the broken build shows.

    `log` is a regular expression that first matches on the line of the first real error. `file` and `at` are given
    where that line names a place: the place is the first line of `file` that holds the text `at`, after the edits.
    Where several files fail and the scheduler picks the first, `log` names the place by groups `file` and `line`.

    `target` is a regular expression for the edge or the test; `project_file` and `project_at` are the place in the
    project that led to the error. `comes_and_goes` says that the same build passes when it runs again.
    """

    log: str
    file: str | None = None
    at: str | None = None
    target: str | None = None
    comes_and_goes: bool = False
    project_file: str | None = None
    project_at: str | None = None


@dataclass(frozen=True)
class Breakage:
    """One way to break an example, how it is built, and what is known about the failure; no `fault` is not knowable.

    `configure` holds further arguments of `build.sh`, and `environment` its variables. `compilers` are those that show
    the failure, `needs` files and programs that the machine must have; a `long` one takes more than a few seconds.
    """

    name: str
    summary: str
    category: str
    fault: str | None
    expect: Expectation
    edit: list[Edit] = field(default_factory=list)
    configure: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    compilers: list[str] = field(default_factory=lambda: list(COMPILERS))
    needs: list[str] = field(default_factory=list)
    long: bool = False
    by_compiler: dict[str, dict[str, Any]] = field(default_factory=dict)

    def apply(self, tree: Path) -> None:
        """Break the tree; raises BreakageError, and changes nothing, when an edit does not fit."""
        _write(tree, self._texts(tree, Edit.applied))
        for edit in self.edit:
            if edit.hours_ahead:
                ahead = time.time() + edit.hours_ahead * 3600
                os.utime(tree / edit.file, (ahead, ahead))

    def revert(self, tree: Path) -> None:
        """Mend the tree; raises BreakageError, and changes nothing, when the breakage is not in it."""
        _write(tree, self._texts(tree, Edit.reverted))

    def expected_of(self, compiler: str) -> Expectation:
        """What the log of one compiler shows, where they differ."""
        return replace(self.expect, **self.by_compiler.get(compiler, {}))

    def describe(self, tree: Path, compiler: str = "gcc") -> dict[str, Any]:
        """The expectation with its lines resolved, whether or not the breakage is applied at the moment."""
        expected = self.expected_of(compiler)
        return {
            "name": self.name,
            "summary": self.summary,
            "category": self.category,
            "fault": self.fault,
            "log": expected.log,
            "file": expected.file,
            "line": self._line(tree, expected.file, expected.at),
            "projectFile": expected.project_file,
            "projectLine": self._line(tree, expected.project_file, expected.project_at),
            "target": expected.target,
            "configure": self.configure,
            "environment": self.environment,
            "limits": {name: value for name, value in asdict(self.limits).items() if value is not None},
        }

    def _line(self, tree: Path, file: str | None, at: str | None) -> int | None:
        if file is None or at is None:
            return None
        text = (tree / file).read_text() if (tree / file).exists() else None
        for edit in self.edit:
            if edit.file == file and not edit.is_in(text):
                text = edit.applied(text)
        for number, line in enumerate((text or "").splitlines(), start=1):
            if at in line:
                return number
        raise BreakageError(f"{self.name} expects {at!r} in {file}, which has no such line")

    def _texts(self, tree: Path, change: Callable[[Edit, str | None], str | None]) -> dict[str, str | None]:
        texts: dict[str, str | None] = {}
        for edit in self.edit:
            path = tree / edit.file
            text = texts[edit.file] if edit.file in texts else path.read_text() if path.exists() else None
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
        expect = document.pop("expect")
        by_compiler = {compiler: expect.pop(compiler) for compiler in COMPILERS if compiler in expect}
        document["expect"] = Expectation(**expect)
        document["fault"] = document["fault"] or None  # TOML has no word for nothing
        document["limits"] = Limits(**document.pop("limits", {}))
        document["edit"] = [Edit(**edit) for edit in document.pop("edit", [])]
        breakage = Breakage(name=name, by_compiler=by_compiler, **document)
        for compiler in by_compiler:
            breakage.expected_of(compiler)
    except (KeyError, TypeError) as error:
        raise BreakageError(f"{path}: {error}") from error
    return breakage


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the answer goes to stdout, what went wrong to stderr."""
    options = _parse(arguments)
    try:
        return _run(options)
    except BreakageError as error:
        print(f"breakage: {error}", file=sys.stderr)
        return 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Break an example on purpose, and mend it again.")
    parser.add_argument("command", choices=["list", "apply", "revert", "expect", "verify"])
    parser.add_argument("tree", type=Path)
    parser.add_argument("name", nargs="*")
    parser.add_argument("--compiler", choices=COMPILERS, default="gcc")
    parser.add_argument(
        "--build", type=Path, metavar="DIR", help="verify: where to build and keep logs; else temporary"
    )
    options = parser.parse_args(arguments)
    if options.command not in ("list", "verify") and len(options.name) != 1:
        parser.error(f"{options.command} needs the NAME of a breakage")
    return options


def _run(options: argparse.Namespace) -> int:
    if options.command == "list":
        for name in names(options.tree):
            print(f"{name:24} {load(options.tree, name).summary}")
        return 0
    if options.command == "verify":
        # Only here: the other commands are used where the analyser is not installed.
        import verification  # noqa: PLC0415

        return verification.verify(options.tree, options.name or names(options.tree), options.compiler, options.build)
    breakage = load(options.tree, options.name[0])
    if options.command == "apply":
        breakage.apply(options.tree)
    elif options.command == "revert":
        breakage.revert(options.tree)
    else:
        print(json.dumps(breakage.describe(options.tree, options.compiler)))
    return 0


def _write(tree: Path, texts: dict[str, str | None]) -> None:
    for file, text in texts.items():
        path = tree / file
        if text is None:
            path.unlink()
            # Folders that only the breakage needed go with it.
            while not any((path := path.parent).iterdir()):
                path.rmdir()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
