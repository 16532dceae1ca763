"""How far a build is, read from the lines its tools print.

What is reported is what the last such line says. A build may run ninja several times (LLVM's runtimes, a test target
after the build); each run counts from its own beginning, so `percent` may fall. Who needs a percentage of the whole
build must weigh the runs by earlier builds; a log alone cannot tell how many will follow.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from build_analysis.text import last_overwrite, strip_ansi

Phase = Literal["configure", "build", "link", "test"]

STEP_LIMIT_CHARACTERS = 200
"""Longer step texts (whole command lines under `ninja -v`) are cut."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of the tool that spoke last; what its line does not say is None.

    `percent` is 0..100. `tool` is one of ninja, make, bazel, cargo, cmake, lit, ctest, pytest.
    """

    done: int | None
    total: int | None
    percent: float | None
    phase: Phase | None
    step: str | None
    tool: str


class ProgressReader:
    """Reads one build's progress, line by line or in chunks; holds a few numbers, whatever the log's length.

    The phase `link` means the end of a run: ninja links static libraries between compilations all the time, so a
    linking step counts as that phase only in the last tenth of its run, and from there to the run's end.
    """

    def __init__(self) -> None:
        self._last: Progress | None = None
        self._triple: tuple[int, int] | None = None

    def read(self, line: str) -> Progress | None:
        """The progress this line reports; None when it reports none, or the same again."""
        seen = self._parse(line) if may_tell_progress(line) else None
        if seen is None or seen == self._last:
            return None
        self._last = seen
        return seen

    def read_chunk(self, lines: Sequence[str]) -> list[Progress]:
        """What these lines report, nothing twice: how each phase began that they pass through, then how it stands now.

        Looks from the end and stops at the first progress line; what stands before it is read only where it is of
        another phase than the chunk before.
        """
        before, triple = self._last, self._triple
        for at in range(len(lines) - 1, -1, -1):
            line = lines[at]
            # The same question as may_tell_progress, here without a call for each of a million lines.
            if (
                "[" in line[:48]
                or "%]" in line[-8:]
                or " of " in line[-32:]
                or "Test" in line[:24]
                or line[:3] == "-- "
            ) and (newest := self._parse(line)):
                if newest == before:
                    return []
                after = self._triple
                self._triple = triple
                passed = [] if before and newest.phase == before.phase else self._passed(lines[:at], newest.phase)
                self._last, self._triple = newest, after
                return [*passed, newest]
        return []

    def _passed(self, lines: Sequence[str], until: Phase | None) -> list[Progress]:
        """The first of each phase that begins and ends in these lines."""
        passed: list[Progress] = []
        for line in lines:
            phase = self._last.phase if self._last else None
            if (seen := self.read(line)) and seen.phase not in (phase, until):
                passed.append(seen)
        return passed

    def _parse(self, line: str) -> Progress | None:
        text = strip_ansi(last_overwrite(line.rstrip("\n")))[:2000]
        found = self._parse_plain(text)
        if found is None and (stamp := _STAMPS.match(text)):
            found = self._parse_plain(text[stamp.end() :])
        return found

    def _parse_plain(self, text: str) -> Progress | None:
        if text.startswith("["):
            return self._parse_bracket(text)
        if text.startswith("-- "):
            return _parse_cmake(text) or _parse_lit_header(text)
        return _parse_test(text) or _parse_bar(text)

    def _parse_bracket(self, text: str) -> Progress | None:
        if match := _MAKE.match(text):
            return self._run("make", None, None, float(match[1]), match[2])
        if match := _BAZEL.match(text):
            done, total = _number(match[1]), _number(match[2])
            return self._run("bazel", done, total, _percent(done, total), match[3])
        if match := _NINJA_TRIPLE.match(text):
            settled = self._settle_triple(int(match[1]), int(match[2]), int(match[3]))
            return self._run("ninja", *settled, _percent(*settled), match[4])
        if match := _NINJA.match(text):
            done, total = int(match[1]), int(match[2])
            if done > total:
                return None
            return self._run("ninja", done, total, _percent(done, total), match[3])
        return _parse_xdist(text)

    def _settle_triple(self, first: int, running: int, third: int) -> tuple[int | None, int | None]:
        """Read `[102/16/4259]`: `%f/%r/%t` counts up to a fixed total, `%u/%r/%f` counts unstarted edges down.

        One line cannot tell which; two lines can. Until then the numbers are absent.
        """
        before, self._triple = self._triple, (first, third)
        if before is None:
            return None, None
        if third == before[1] and first > before[0]:
            return first, third
        if third > before[1] and first <= before[0]:
            return third, first + running + third
        return None, None

    def _run(self, tool: str, done: int | None, total: int | None, percent: float | None, step: str) -> Progress:
        step = step.strip()
        return Progress(
            done, total, percent, self._run_phase(step, percent, total), step[:STEP_LIMIT_CHARACTERS] or None, tool
        )

    def _run_phase(self, step: str, percent: float | None, total: int | None) -> Phase:
        if _CONFIGURE_STEP.match(step):
            return "configure"
        if _TEST_STEP.match(step):
            return "test"
        if percent is None:
            return "build"
        # One edge may be more than a tenth of a small run, and its last edge is the link.
        last_tenth = percent >= min(90.0, 100.0 * (1 - 1 / total) if total else 90.0)
        was_linking = self._last is not None and self._last.phase == "link"
        return "link" if last_tenth and (was_linking or "Linking" in step) else "build"


def may_tell_progress(line: str) -> bool:
    """Whether a closer look is worth it; False for nearly every line of compiler output."""
    return "[" in line[:48] or "%]" in line[-8:] or " of " in line[-32:] or "Test" in line[:24] or line[:3] == "-- "


_STAMPS = re.compile(
    r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z? +|\[\d\d:\d\d:\d\d\] +|\(\d\d:\d\d:\d\d\) +"
    r"|#\d+ \d[\d.]* +|\d+(?:\.\d+)?(?:s|%)? +)+(?=[\[A-Z\d ]|-- )"
)
_MAKE = re.compile(r"\[ {0,2}(\d{1,3})%\] +(\S.*)")
_BAZEL = re.compile(r"\[(\d[\d,]*) / (\d[\d,]*)\] ?(.*)")
_NINJA_TRIPLE = re.compile(r"\[ *(\d+)/(\d+)/(\d+)(?: [^\]\[]{0,30})?\] ?(.*)")
_NINJA = re.compile(r"\[ *(?:[\d.:]+[%s]? +){0,2}(\d+)/(\d+)(?:[ ,:|-][^\]\[]{0,30})?\] ?(.*)")
_XDIST = re.compile(r"\[gw\d+\] \[ {0,2}(\d{1,3})%\] (?:PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS|RERUN) (\S.*)")
_CONFIGURE_STEP = re.compile(
    r"Re-?running CMake|Re-checking globbed|Performing (?:configure|update|download) step|Generating VCS"
)
_TEST_STEP = re.compile(
    r"Running (?:the |all )?.{0,60}(?:regression )?tests?\b|Running lit suite|Running utility command for check"
)
_LIT_RESULT = re.compile(
    r"(?:PASS|FAIL|XFAIL|XPASS|UNSUPPORTED|UNRESOLVED|TIMEOUT|SKIPPED|FLAKYPASS|EXCLUDED)"
    r": (.{1,1500}) \((\d+) of (\d+)\)\s*$"
)
_LIT_HEADER = re.compile(r"-- Testing: (\d+)(?: of \d+)? tests, \d+ (?:workers|threads|single process)")
_LIT_BAR = re.compile(r" {0,2}(\d{1,3})% \[=*-*\]")
_LIT_SIMPLE_BAR = re.compile(r"Testing: (?:[ \d.]*?)(\d{1,3})[ .]*$")
_CTEST = re.compile(r" {0,6}(\d+)/(\d+) (?:Test|MemCheck):? +#\d+: (\S+)")
_PYTEST_PERCENT = re.compile(r" \[ {0,2}(\d{1,3})%\] *$")
_PYTEST_DOTS = re.compile(r"[.FEsxXR]+ *$")
_CARGO = re.compile(r" {1,4}Building \[=*>? *\] (\d+)/(\d+)(?:: (.*))?")
_CMAKE_STEP = re.compile(
    r"-- (The (?:C|CXX|ASM\S*|CUDA|Fortran) compiler identification is .*|Detecting .*|Check for working .*"
    r"|Performing Test .*|Looking for .*|Found .*|Configuring (?:done|incomplete).*|Generating done.*"
    r"|Build files have been written to.*)"
)


def _parse_cmake(text: str) -> Progress | None:
    match = _CMAKE_STEP.match(text)
    return Progress(None, None, None, "configure", match[1][:STEP_LIMIT_CHARACTERS], "cmake") if match else None


def _parse_lit_header(text: str) -> Progress | None:
    match = _LIT_HEADER.match(text)
    return Progress(0, int(match[1]), 0.0, "test", None, "lit") if match else None


def _parse_test(text: str) -> Progress | None:
    if match := _LIT_RESULT.match(text):
        return _test("lit", int(match[2]), int(match[3]), match[1])
    if match := _CTEST.match(text):
        return _test("ctest", int(match[1]), int(match[2]), match[3])
    if match := _PYTEST_PERCENT.search(text, max(0, len(text) - 12)):
        name = text[: match.start()].partition(" ")[0]
        if ".py" in name:
            return Progress(None, None, float(match[1]), "test", name[:STEP_LIMIT_CHARACTERS], "pytest")
        if _PYTEST_DOTS.match(text[: match.start()]):
            return Progress(None, None, float(match[1]), "test", None, "pytest")
    return None


def _parse_xdist(text: str) -> Progress | None:
    match = _XDIST.match(text)
    if match is None:
        return None
    return Progress(None, None, float(match[1]), "test", match[2].strip()[:STEP_LIMIT_CHARACTERS], "pytest")


def _parse_bar(text: str) -> Progress | None:
    if match := _LIT_BAR.match(text) or _LIT_SIMPLE_BAR.match(text):
        return Progress(None, None, float(match[1]), "test", None, "lit")
    if match := _CARGO.match(text):
        done, total = int(match[1]), int(match[2])
        return Progress(done, total, _percent(done, total), "build", match[3], "cargo")
    return None


def _test(tool: str, done: int, total: int, name: str) -> Progress | None:
    if done > total:
        return None
    return Progress(done, total, _percent(done, total), "test", name.strip()[:STEP_LIMIT_CHARACTERS], tool)


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _percent(done: int | None, total: int | None) -> float | None:
    if done is None or not total:
        return None
    return round(100.0 * min(done, total) / total, 1)
