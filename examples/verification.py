"""Verification: what the analyser says of a broken build, beside what was broken."""

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from breakage import Breakage, load
from broken_build import BrokenBuild, CannotBreakHere
from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure, Report
from build_analysis.verdict import History, PastBuild, verdict

# Unoptimised: what is broken shows all the same, and nobody waits for the optimiser.
QUICK = ("-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG",)


@dataclass(frozen=True)
class Outcome:
    """One breakage, built: both answers as one line each, and every difference between them as a sentence."""

    name: str
    expected: str
    found: str
    differences: list[str] = field(default_factory=list)
    log: str = ""
    seconds: float = 0


def verify(tree: Path, chosen: Sequence[str], compiler: str, directory: Path | None) -> int:
    """Build the breakages in a copy of the tree and print a row for each; 1 when the analyser is wrong about one.

    Logs are kept in the directory as NAME.log; without one, everything is temporary.
    """
    with tempfile.TemporaryDirectory(prefix="breakages-") as temporary:
        place = directory or Path(temporary)
        copy = place / tree.resolve().name
        ignored = shutil.ignore_patterns("build", "__pycache__")
        shutil.copytree(tree, copy, ignore=ignored, copy_function=_refresh, dirs_exist_ok=True)
        build = BrokenBuild(copy, place / f"build-{compiler}", compiler, QUICK)
        wrong = 0
        print(f"{'NAME':26} {'EXPECTED':62} {'FOUND':62} OK")
        for name in chosen:
            breakage = load(copy, name)
            if compiler not in breakage.compilers:
                print(f"{name:26} not with {compiler}")
                continue
            try:
                outcome = check(build, breakage)
            except CannotBreakHere as reason:
                print(f"{name:26} skipped: {reason}")
                continue
            (place / f"{name}.{compiler}.log").write_text(outcome.log)
            wrong += bool(outcome.differences)
            said = "no" if outcome.differences else "yes"
            print(f"{name:26} {outcome.expected:62} {outcome.found:62} {said} ({outcome.seconds:.1f} s)", flush=True)
            for difference in outcome.differences:
                print(f"{'':26} {difference}", file=sys.stderr)
    return 1 if wrong else 0


def _refresh(source: str, copy: str) -> None:
    """Copy a file that differs, dated now: what was built of a broken one must not pass for newer."""
    if not Path(copy).exists() or Path(source).read_bytes() != Path(copy).read_bytes():
        shutil.copyfile(source, copy)
        shutil.copymode(source, copy)


def check(build: BrokenBuild, breakage: Breakage) -> Outcome:
    """Break, build, mend, and compare; the tree is mended whatever happens.

    Raises:
        CannotBreakHere: this machine cannot show the breakage.
    """
    expected = breakage.describe(build.tree, build.compiler)
    began = time.monotonic()
    breakage.apply(build.tree)
    try:
        code, log = build.run(breakage)
        differences = ["the build passed"] if code == 0 else []
        report = analyze(log, code)
        if breakage.expect.comes_and_goes:
            differences += _differs_from_flaky(report, *build.run(breakage))
    finally:
        breakage.revert(build.tree)
        if (own := build.directory_of(breakage)) != build.directory:
            shutil.rmtree(own, ignore_errors=True)
    lines = log.splitlines()
    found = report.first()
    pattern = re.compile(expected["log"])
    at = next(((number, match) for number, line in enumerate(lines, 1) if (match := pattern.search(line))), None)
    told = _Answer(breakage.category, breakage.fault, at and at[0], expected["file"], expected["line"])
    if at is None:
        differences.append(f"no line of the log matches {expected['log']!r}")
    elif "file" in pattern.groupindex:
        told = _Answer(told.category, told.fault, at[0], at[1]["file"], int(at[1]["line"]))
    answer = _Answer.of(found, build)
    differences += _differences(told, answer)
    if found is not None:
        differences += _differs_in_context(expected, found, build)
    return Outcome(breakage.name, str(told), str(answer), differences, log, time.monotonic() - began)


def analyze(log: str, code: int | None = None) -> Report:
    """The analyser's report of a whole log, and of its command's exit code where that is known."""
    analyzer = LogAnalyzer()
    analyzer.feed(1, log.split("\n"))
    return analyzer.finish(code)


@dataclass(frozen=True)
class _Answer:
    category: str | None
    fault: str | None
    log_line: int | None
    file: str | None
    line: int | None

    @classmethod
    def of(cls, found: Failure | None, build: BrokenBuild) -> "_Answer":
        if found is None:
            return cls(None, None, None, None, None)
        return cls(found.category, found.fault, found.first_line, _inside(found.file, build), found.line)

    def __str__(self) -> str:
        place = "" if self.file is None else f" {self.file}" if self.line is None else f" {self.file}:{self.line}"
        return "nothing" if self.category is None else f"{self.category} ({self.fault}) @{self.log_line}{place}"


def _inside(file: str | None, build: BrokenBuild) -> str | None:
    """The name of a file as the tree knows it, if it is in the tree; tools name it from where they run."""
    if file is None:
        return None
    name = file.removeprefix(f"{build.tree.parent}/")
    while name.startswith("../"):
        name = name.removeprefix("../")
    return name.removeprefix(f"{build.tree.name}/")


def _differences(told: _Answer, found: _Answer) -> list[str]:
    facts = ("category", "fault", "log_line", "file", "line")
    return [
        f"{fact} is {getattr(found, fact)!r}, not {getattr(told, fact)!r}"
        for fact in facts
        if getattr(told, fact) != getattr(found, fact)
        # Where the log's own line names the place, it does so in the compiler's spelling.
        and not (fact == "file" and told.file and found.file and told.file.endswith(found.file))
    ]


def _differs_in_context(expected: dict[str, object], found: Failure, build: BrokenBuild) -> list[str]:
    """What is wrong about the edge or test, and about the place in the project."""
    differences = []
    target = expected["target"]
    if isinstance(target, str) and not re.search(target, found.target or ""):
        differences.append(f"target is {found.target!r}, not {target!r}")
    if expected["projectFile"] is not None:
        file, line = (*(found.project_location or "").split(":"), "")[:2]
        if (_inside(file or None, build), line) != (expected["projectFile"], str(expected["projectLine"])):
            wanted = f"{expected['projectFile']}:{expected['projectLine']}"
            differences.append(f"project location is {found.project_location!r}, not {wanted!r}")
    return differences


def _differs_from_flaky(first: Report, code: int, log: str) -> list[str]:
    """What keeps two runs of one commit, red then green, from being judged flaky."""
    differences = [] if code == 0 else ["the second run failed too"]
    if (found := analyze(log).first()) is not None:
        differences.append(f"the second run, which passed, is said to show {found.category}: {found.message}")
    failure = first.first()
    passed = PastBuild("second", "the same commit", succeeded=True)
    if failure is not None and verdict(failure, History(same_commit=(passed,))).kind != "flaky":
        differences.append("the verdict is not flaky")
    return differences
