"""How far a build is, read from the lines of the tool that owns the terminal.

A build prints much that looks like progress and is not: tests print `[5/10]`, a step of the build runs another build,
scripts count what they like. So lines are read as runs within runs: a line that goes on with the outermost run moves
it, any other is of something that this run started. While a test driver runs, only its own lines count.

What is reported is what the last such line says. A build may run ninja several times (a test target after the build);
each run counts from its own beginning, so `percent` may fall. Who needs a percentage of the whole build must weigh the
runs by earlier builds; a log alone cannot tell how many will follow.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from build_analysis.ninja_status import NinjaStatus, StepCount, counted, find_status, percent_of
from build_analysis.test_lines import TestLine, read_test_line, test_tool_of
from build_analysis.text import last_overwrite, strip_ansi

Phase = Literal["configure", "build", "link", "test"]

STEP_LIMIT_CHARACTERS = 200
"""Longer step texts (whole command lines under `ninja -v`) are cut."""

STEADY_LINES = 3
"""After so many lines that follow each other a run is one; before, it may be something that a script printed."""

UNORDERED_PERCENT = 3.0
"""The lines of `make -j` may come in a slightly other order than their percentages."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of the tool that owns the terminal; what its line does not say is None.

    `percent` is 0..100. `tool` is one of ninja, make, bazel, cargo, cmake, meson, or a test driver: lit, ctest, pytest,
    gtest, go, nextest, and cargo and meson again in the phase `test`.
    """

    done: int | None
    total: int | None
    percent: float | None
    phase: Phase | None
    step: str | None
    tool: str

    @property
    def counts_steps(self) -> bool:
        """Whether `done` and `total` are steps of a build: neither tests nor a step that only starts something."""
        return self.total is not None and self.phase in ("build", "link") and not _UTILITY.match(self.step or "")


@dataclass(slots=True)
class _Run:
    """One run of a build tool."""

    tool: str
    indent: int
    done: int | None
    total: int | None
    percent: float | None
    began_at: int | None
    lines: int = 1
    is_over: bool = False
    is_linking: bool = False
    step: str = ""

    @property
    def owns(self) -> bool:
        """Whether what others print meanwhile is of something that it started."""
        return not self.is_over and self.lines >= STEADY_LINES and not _TEST_STEP.match(self.step)

    def goes_on_with(self, count: StepCount, tool: str, indent: int) -> bool:
        """Whether this is its next line."""
        if (tool, indent) != (self.tool, self.indent):
            return False
        if tool in ("bazel", "cargo") or self.done is None or count.done is None:
            return tool != "make" or (count.percent or 0.0) >= (self.percent or 0.0) - UNORDERED_PERCENT
        return count.total == self.total and count.done >= self.done


@dataclass(slots=True)
class _Session:
    """One run of a test driver."""

    tool: str
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    tool: str
    indent: int
    count: StepCount


@dataclass(frozen=True, slots=True)
class _Configures:
    step: str
    tool: str


@dataclass(frozen=True, slots=True)
class _Stops:
    tool: str


_Seen = _Step | _Configures | _Stops | TestLine


class ProgressReader:
    """Reads one build's progress, line by line or in chunks; holds a few numbers, whatever the log's length.

    The phase `link` means the end of a run: ninja links static libraries between compilations all the time, so a
    linking step counts as that phase only in the last tenth of its run, and from there to the run's end.

    Args:
        command: The build's: a test driver's output is never a build's progress.
        ninja_status: NINJA_STATUS of the build's environment.
    """

    def __init__(self, command: Sequence[str] = (), ninja_status: str | None = None) -> None:
        self._last: Progress | None = None
        self._status = NinjaStatus(find_status(command, ninja_status))
        self._runs: list[_Run] = []  # the outermost first
        self._own_tool = test_tool_of(command)
        self._session = _Session(self._own_tool) if self._own_tool else None

    def read(self, line: str) -> Progress | None:
        """The progress this line reports; None when it reports none, or the same again."""
        if not self._status.is_own and not may_tell_progress(line):
            return None
        seen = self._parse(line)
        progress = self._take(seen) if seen is not None else None
        if progress is None or progress == self._last:
            return None
        self._last = progress
        return progress

    def read_chunk(self, lines: Sequence[str]) -> list[Progress]:
        """What these lines report, nothing twice: how each phase ended that they pass through, then how it stands now.

        Looks from the end: where the newest line goes on with what was known before, no other is read.
        """
        before, place, any_line = self._last, self._status.place(), self._status.is_own
        for at in range(len(lines) - 1, -1, -1):
            line = lines[at]
            # The same question as may_tell_progress, here without a call for each of a million lines.
            if (
                "[" in line[:48]
                or " of " in (tail := line[-32:])
                or "%]" in tail
                or "Test" in line[:24]
                or line[:5] in _HEADS
                or line[:1] in _FIRST
                or any_line
            ) and (seen := self._parse(line)):
                if self._goes_straight_on(seen):
                    newest = self._take(seen)
                    self._last = newest
                    return [newest] if newest is not None and newest != before else []
                self._status.go_back(place)
                return self._read_all(lines[: at + 1])
        return []

    def _goes_straight_on(self, seen: _Seen) -> bool:
        """Whether nothing that came before this line could matter."""
        if isinstance(seen, TestLine):
            session = self._session
            return (
                session is not None
                and seen.done is not None
                and (seen.tool, seen.total) == (session.tool, session.total)
            )
        if not isinstance(seen, _Step) or self._session is not None or len(self._runs) != 1 or self._last is None:
            return False
        run = self._runs[0]
        is_next = not run.is_over and run.goes_on_with(seen.count, seen.tool, seen.indent)
        return is_next and seen.count.done is not None and self._phase(run, seen.count) == self._last.phase

    def _read_all(self, lines: Sequence[str]) -> list[Progress]:
        found = [progress for line in lines if (progress := self.read(line))]
        passed = [one for one, following in pairwise(found) if one.phase != following.phase]
        return [*passed, *found[-1:]]

    # --- lines ---

    def _parse(self, line: str) -> _Seen | None:
        text = strip_ansi(last_overwrite(line.rstrip("\n")))[:2000]
        found = self._parse_plain(text, 0)
        if found is None and text.startswith("  ") and text[2:3] in _INDENTED:
            found = self._parse_plain(text[2:], 2)  # pip's way to show what it runs
        if found is None and (stamp := _STAMPS.match(text)):
            found = self._parse_plain(text[stamp.end() :], 0)
        return found

    def _parse_plain(self, text: str, indent: int) -> _Seen | None:
        if found := self._parse_step(text, indent):
            return found
        if text.startswith("-- ") and (match := _CMAKE_STEP.match(text)):
            return _Configures(match[1][:STEP_LIMIT_CHARACTERS], "cmake")
        if match := _STOPS.match(text):
            return _Stops(match.lastgroup or "")
        if match := _MESON_SETUP.match(text):
            return _Configures(match[0][:STEP_LIMIT_CHARACTERS], "meson")
        return read_test_line(text)

    def _parse_step(self, text: str, indent: int) -> _Step | None:
        if text.startswith("["):
            if match := _MAKE.match(text):
                return _Step("make", indent, StepCount(None, None, min(100.0, float(match[1])), match[2]))
            if match := _BAZEL.match(text):
                return _Step("bazel", indent, counted(_number(match[1]), _number(match[2]), match[3]))
        if count := self._status.read(text):
            return _Step("ninja", indent, count)
        if match := _CARGO.match(text):
            return _Step("cargo", indent, counted(int(match[1]), int(match[2]), match[3] or ""))
        if match := _CARGO_STEP.match(text):
            return _Step("cargo", indent, StepCount(None, None, None, match[1]))
        return None

    # --- runs ---

    def _take(self, seen: _Seen) -> Progress | None:
        if isinstance(seen, TestLine):
            return self._take_test(seen)
        if isinstance(seen, _Step):
            return self._take_step(seen)
        if isinstance(seen, _Stops):
            self._stop(seen.tool)
            return None
        return self._configure(seen.step, seen.tool)

    def _configure(self, step: str, tool: str, done: int | None = None, total: int | None = None) -> Progress | None:
        if self._session is not None or (self._runs and self._runs[0].owns):
            return None
        return Progress(done, total, percent_of(done, total), "configure", step, tool)

    def _take_step(self, seen: _Step) -> Progress | None:
        count, step = seen.count, seen.count.step.strip()[:STEP_LIMIT_CHARACTERS]
        run = self._run_of(seen)
        if self._session is not None:
            # Without the driver's last line it is over when the run that started it goes on.
            if run is None or run.is_over or run is not self._runs[0] or self._own_tool is not None:
                return None
            self._session = None
        if run is None:
            if _CONFIGURE_STEP.match(step):
                return self._configure(step, seen.tool, count.done, count.total)
            run = self._begin(seen)
        else:
            del self._runs[self._runs.index(run) + 1 :]
            run.lines += 1
        run.done, run.total, run.step = count.done, count.total, step
        run.percent = max(count.percent or 0.0, run.percent or 0.0) if seen.tool == "make" else count.percent
        run.is_over = run.done is not None and run.done == run.total if seen.tool != "make" else run.percent == 100.0
        self._promote()
        if run is not self._runs[0]:
            return None
        phase = self._phase(run, count)
        run.is_linking = phase == "link"
        return Progress(count.done, count.total, count.percent, phase, step or None, seen.tool)

    def _run_of(self, seen: _Step) -> _Run | None:
        """The innermost run that goes on with this line."""
        for run in reversed(self._runs):
            if run.goes_on_with(seen.count, seen.tool, seen.indent):
                return run
        return None

    def _begin(self, seen: _Step) -> _Run:
        run = _Run(seen.tool, seen.indent, seen.count.done, seen.count.total, seen.count.percent, seen.count.done)
        if not self._runs or self._runs[0].is_over:
            self._runs = [run]
        else:
            self._runs.append(run)
        return run

    def _promote(self) -> None:
        """Let the inner of two runs be the outer one, where that is what it is after all."""
        if len(self._runs) < 2:
            return
        outer, inner = self._runs[-2:]
        if (inner.tool, inner.indent) != (outer.tool, outer.indent) or inner.done is None or outer.done is None:
            is_outer = outer.lines < STEADY_LINES <= inner.lines
        elif inner.began_at == outer.done + 1 and inner.began_at > 1:
            # The total changed while it ran: ninja learns that steps are not needed, or that more are.
            is_outer = inner.lines >= STEADY_LINES or inner.is_over
        else:
            is_outer = outer.lines < STEADY_LINES <= inner.lines and (inner.total or 0) > (outer.total or 0)
        if is_outer:
            inner.lines += outer.lines if inner.began_at == (outer.done or 0) + 1 else 0
            self._runs.remove(outer)

    def _stop(self, tool: str) -> None:
        for run in reversed(self._runs):
            if run.tool == tool and not run.is_over:
                run.is_over = True
                return

    def _phase(self, run: _Run, count: StepCount) -> Phase:
        step = count.step.strip()
        if _CONFIGURE_STEP.match(step):
            return "configure"
        if _TEST_STEP.match(step):
            return "test"
        if count.percent is None:
            return "build"
        # One edge may be more than a tenth of a small run, and its last edge is the link.
        total = count.total
        last_tenth = count.percent >= min(90.0, 100.0 * (1 - 1 / total) if total else 90.0)
        return "link" if last_tenth and (run.is_linking or "Linking" in step) else "build"

    # --- test drivers ---

    def _take_test(self, seen: TestLine) -> Progress | None:
        session = self._session
        if session is None:
            if seen.kind == "closes" or (self._runs and self._runs[0].owns):
                return None  # of tests that a step of the build runs
            if seen.kind == "advances" and seen.tool in ("gtest", "cargo") and seen.done is None:
                return None  # these have a heading, or it is a list of what failed
            session = self._session = _Session(seen.tool)
        elif seen.tool != session.tool:
            return None
        elif seen.kind == "closes":
            self._session = replace(session, done=None, total=None) if self._own_tool else None
            return None
        elif seen.kind == "opens":
            session = self._session = _Session(seen.tool)
        if seen.kind == "opens":
            session.done, session.total = 0 if seen.total is not None else None, seen.total
            percent = None if seen.total is None else 0.0
            return Progress(session.done, session.total, percent, "test", None, seen.tool)
        return self._advance(session, seen)

    def _advance(self, session: _Session, seen: TestLine) -> Progress | None:
        name = seen.name.strip()[:STEP_LIMIT_CHARACTERS] if seen.name else None
        if seen.percent is not None:
            return Progress(None, None, seen.percent, "test", name, seen.tool)
        if seen.total is not None:
            if session.total not in (None, seen.total):
                return None  # of a driver that one of its tests runs
            session.done, session.total = seen.done, seen.total
        elif session.total is not None and seen.tool != "go":
            session.done = min((session.done or 0) + 1, session.total)
        percent = percent_of(session.done, session.total)
        return Progress(session.done, session.total, percent, "test", name, seen.tool)


def may_tell_progress(line: str) -> bool:
    """Whether a closer look is worth it; False for nearly every line of compiler output."""
    return (
        "[" in line[:48]
        or " of " in line[-32:]
        or "%]" in line[-32:]
        or "Test" in line[:24]
        or line[:5] in _HEADS
        or line[:1] in _FIRST
    )


_FIRST = frozenset("0123456789=")
"""Test drivers' headings, numbers and last lines begin with these; compilers' lines do not."""

_HEADS = frozenset({"  -- ", "runni", "test ", "ninja", "make:", "gmake", "=== R", "--- P", "--- F", "--- S", "ok  \t"})
_HEADS |= {"FAIL\t", "Ok:  ", "no te", "   Co", "    F", "    S", "The M", "Build", "Proje", "Host ", "Found", "Compi"}
_HEADS |= {f"-- {start}" for start in ("Th", "De", "Ch", "Pe", "Lo", "Fo", "Co", "Ge", "Bu", "Te")}
_INDENTED = frozenset("[-0123456789 ")
_STAMPS = re.compile(
    r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z? +|\[\d\d:\d\d:\d\d\] +|\(\d\d:\d\d:\d\d\) +"
    r"|#\d+ \d[\d.]* +|\d+(?:\.\d+)?(?:s|%)? +)+(?=[\[A-Z\d ]|-- )"
)
_MAKE = re.compile(r"\[ {0,2}(\d{1,3})%\] +(\S.*)")
_BAZEL = re.compile(r"\[(\d[\d,]*) / (\d[\d,]*)\] ?(.*)")
_CONFIGURE_STEP = re.compile(
    r"Re-?running CMake|Re-checking globbed|Performing (?:configure|update|download) step|Generating VCS"
    r"|Regenerating build files"
)
_TEST_STEP = re.compile(
    r"Running (?:the |all )?.{0,60}(?:regression )?tests?\b|Running lit suite|Running utility command for check"
)
_UTILITY = re.compile(r"Install the project|Installing |Re-?running CMake|Running ")
_CARGO = re.compile(r" {1,4}Building \[=*>? *\] (\d+)/(\d+)(?:: (.*))?")
_CARGO_STEP = re.compile(r" {3}(Compiling \S+ v\d.*)")
_STOPS = re.compile(
    r"(?P<ninja>ninja: (?:build stopped|error|fatal))|(?P<make>g?make: \*\*\* )|(?P<cargo> {4}Finished )"
)
_CMAKE_STEP = re.compile(
    r"-- (The (?:C|CXX|ASM\S*|CUDA|Fortran) compiler identification is .*|Detecting .*|Check for working .*"
    r"|Performing Test .*|Looking for .*|Found .*|Configuring (?:done|incomplete).*|Generating done.*"
    r"|Build files have been written to.*)"
)
_MESON_SETUP = re.compile(
    r"The Meson build system$|Project name: .*|Compiler for .*|Host machine cpu.*|Build targets in project: \d+$"
    r"|Found ninja-.*"
)


def _number(text: str) -> int:
    return int(text.replace(",", ""))
