"""The failures found so far: which are certain, which wait for a word that confirms them, and their final order."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from build_analysis.candidate import Candidate
from build_analysis.failure import Failure, Report
from build_analysis.prefixes import clean
from build_analysis.rule import PACKAGER_RANK, UNKNOWN, WRAPPER, Rule
from build_analysis.scope import Scope
from build_analysis.signature import stable_test
from build_analysis.units import builds, is_object

FAILURE_LIMIT = 200
"""More failures than this are counted, not kept."""

ENDING_LINES = 40
"""What is this near to the end of a log is what ended it."""

MADE_GOOD_LIMIT = 8
"""So many failed edges are looked for among the steps of a later run."""

RETRY_LINES = 20
"""So near before a tool's word that it tries again stands what failed."""

OVERTAKEN_LINES = 300
"""What a build went on after for so long, until something else broke it, did not break it."""

NINJA_STEP = re.compile(r"\[\s*\d+/\d+[^\]]{0,20}\] ")
_RUNNERS = frozenset({"ninja", "samurai"})

_TEST_TARGET = re.compile(r"\bcheck(?:-|\b)|\btests?\b|[-/](?:build|stamp|install)$|-stamp/|Makefile:|\ball\b")


_TEST_CATEGORIES = frozenset({"lit_test_failure", "python_test_failure", "gtest_failure", "ctest_failure"})

DIAGNOSTICS = frozenset(
    {
        "compile_error",
        "missing_header",
        "warning_as_error",
        "link_error",
        "tablegen_error",
        "lit_test_failure",
        "gtest_failure",
        "sanitizer_report",
        "compiler_crash",
        "crash",
        "out_of_memory",
        "disk_full",
        "cache_error",
        "python_import_error",
        "python_packaging_error",
        "python_test_failure",
    }
)
"""What no tool prints while all is well, outside tests that want it."""


_TOLERATED = frozenset(
    {
        "git_error",
        "build_graph_error",
        "python_packaging_error",
        "python_import_error",
        "network_error",
        "permission_error",
        "cache_error",
        "ci_service_error",
        "toolchain_error",
    }
)
"""What scripts let pass on purpose (`pip install x || true`), however sure the tool is that it failed."""


@dataclass(slots=True)
class _Finding:
    failure: Failure
    certain: bool
    tentative: bool
    is_reported: bool = False
    retried_at: int | None = None
    """The line on which a tool printed that it tries again."""
    by_word: bool = False
    """Certain by its tool's word alone: neither a failed edge or test nor a wrapper confirms it."""
    within: str | None = None
    """The tool that ran the test, or that printed the failure."""
    scoped: bool = False
    """Found within an edge or a test that its runner calls failed."""
    unit: str | None = None
    """The source file whose compilation printed it."""
    made_good: bool = False
    went_on: bool = False
    """A step went well after it, within which, or before which, it was printed."""


class Findings:
    """Collects failures; a failure is reported once, when it is certain."""

    def __init__(self) -> None:
        self._findings: list[_Finding] = []
        self._tests: set[str] = set()
        self._dropped = 0
        self._wrapper: Failure | None = None
        self._well_at = 0
        self._wrapped_to = 0
        self._stops: list[int] = []
        """The lines on which ninja reported that it stopped."""
        self._made_by = (0, 0, 0)
        """make's level, the line of its last word and how many failures were known then."""
        self._attempt_first = 0
        self._attempts_before: list[_Finding] = []

    def add(
        self,
        failure: Failure,
        *,
        certain: bool,
        rule: Rule,
        within: str | None = None,
        by_word: bool = False,
        scoped: bool = False,
        unit: str | None = None,
        went_on: bool = False,
    ) -> None:
        """Take a failure; the same test failing again (a summary) is not another one."""
        if failure.target and failure.category in _TEST_CATEGORIES and self.knows_test(failure.target):
            self._name_fully(failure.target)
            return
        if failure.target:
            self._tests.add(_test_key(failure.target))
        if (other := self._repeated(failure, unit)) is not None:
            if other.retried_at is not None:
                other.retried_at = None
                other.failure = replace(other.failure, last_line=failure.last_line)
            return
        is_packager = failure.category == "python_packaging_error" and failure.rank >= PACKAGER_RANK
        near = failure.first_line - OVERTAKEN_LINES
        if is_packager and any(
            one.failure.last_line >= near and not one.went_on and one.retried_at is None for one in self._findings
        ):
            self._confirm(failure.first_line)
            return
        if self.has_room():
            self._findings.append(
                _Finding(
                    failure,
                    certain,
                    rule.tentative and not certain,
                    by_word=by_word,
                    within=within or rule.tool,
                    scoped=scoped,
                    unit=unit,
                    went_on=went_on,
                )
            )

    def last_passed_by(self) -> int:
        """Where what was found last ends, if a step went well after it; else 0."""
        last = self._findings[-1] if self._findings else None
        return last.failure.last_line if last is not None and last.went_on else 0

    @property
    def count(self) -> int:
        """How many failures are known, of this attempt."""
        return len(self._findings)

    def waits_for(self, unit: str) -> bool:
        """Whether a failure of this source file waits for make's word: what more its compiler prints is that one."""
        return any(one.unit == unit and not one.certain for one in self._findings)

    def forget_since(self, count: int) -> None:
        """What was found since there were `count` failures was none."""
        found = self._findings[count:]
        self._keep(lambda one: one not in found)

    def drop_echoes(self, count: int) -> None:
        """What was found since there were `count` failures, and before, was printed twice."""
        known = {one.failure.signature for one in self._findings[:count]}
        self._findings[count:] = [one for one in self._findings[count:] if one.failure.signature not in known]

    def name_since(self, count: int, target: str | None) -> None:
        """What a wrapper ran is the target of what was found since there were `count` failures, if it has none."""
        for one in self._findings[count:]:
            if target and one.failure.target is None:
                one.failure = replace(one.failure, target=target)

    def silence(self, first: int, last: int, *, scoped: bool = True) -> None:
        """A program, or a step, that ran from line `first` to `last` passed: nothing in its output is a failure.

        Args:
            first: the line on which it began.
            last: the line on which it ended.
            scoped: whether that is so of what stands within failed edges and tests, too.
        """
        self._keep(lambda one: not first <= one.failure.first_line <= last or (one.scoped and not scoped))

    def keep_tests(self, first: int, failed: Collection[str]) -> bool:
        """A program that ran since line `first` failed: only what stands within a failed test did.

        Args:
            first: the line on which it began.
            failed: further tests that it called failed.

        Returns:
            Whether a failure of it is known.
        """
        ran = [one for one in self._findings if one.failure.first_line >= first]
        tests = {_test_key(one.failure.target) for one in ran if one.scoped and one.failure.target}
        tests |= {_test_key(name) for name in failed}
        if tests:
            self._keep(
                lambda one: (
                    one.failure.first_line < first
                    or one.scoped
                    or (one.failure.target is not None and _test_key(one.failure.target) in tests)
                )
            )
        return bool(ran or failed)

    def has_tests(self, first: int) -> bool:
        """Whether a test, or an edge, failed since line `first`."""
        return any(one.scoped and one.failure.first_line >= first for one in self._findings)

    def adopt(self, edge: Scope) -> bool:
        """An edge that failed without a word printed it before its own step, if anything stands there."""
        last = self._findings[-1] if self._findings else None
        if edge.kind != "edge" or last is None or not last.went_on:
            return False
        last.went_on, last.certain, last.scoped = False, True, True
        last.failure = replace(last.failure, target=last.failure.target or edge.target, command=edge.command)
        return True

    def has_just_failed(self, number: int) -> bool:
        """Whether a wrapper reported just before line `number` that all of it failed."""
        return self._wrapped_to > 0 and number - self._wrapped_to <= RETRY_LINES

    @property
    def awaits_steps(self) -> bool:
        """Whether a run failed, so that the steps of a later one matter."""
        return bool(self._stops or self._attempts_before)

    def begin_attempt(self, number: int, first: int) -> None:
        """What was found since line `first` is history if the attempt that begins on line `number` ends."""
        self._attempts_before = [one for one in self._findings if one.failure.first_line >= first]
        self._keep(lambda one: one.failure.first_line < first)
        self._attempt_first, self._wrapped_to, self._wrapper = number, 0, None

    def steps_passed(self, first_line: int, lines: Sequence[str], last_step: int) -> None:
        """ninja's steps among these lines: an edge that failed before ninja stopped, and is built now, is made good.

        Args:
            first_line: the number of the first of `lines`.
            lines: lines of the log.
            last_step: the index of the last step among them; what only words call a failure before it broke nothing.
        """
        if NINJA_STEP.match(clean(lines[last_step]).text):
            for one in self._findings:
                if (
                    not one.scoped
                    and (one.by_word or not one.certain)
                    and one.failure.last_line < first_line + last_step
                ):
                    one.went_on = True
        last_line = first_line + len(lines) - 1
        for one in self._findings[:MADE_GOOD_LIMIT] if self._stops else ():
            stop = next((stop for stop in self._stops if stop > one.failure.first_line), last_line)
            if not (one.scoped and one.failure.target) or stop >= last_line:
                continue
            target = one.failure.target.split()[0]
            after = range(max(0, stop + 1 - first_line), len(lines))
            one.made_good = any(
                target in lines[at] and _makes(lines[at], target) and not _fails_next(lines, at) for at in after
            )
        if any(one.made_good for one in self._findings):
            self._keep(lambda one: not one.made_good)
            self._wrapper = None

    def _attempt_ended(self, last_step: int) -> bool:
        """Whether it is known how the last attempt went; if not, the one before it counts.

        Args:
            last_step: the line of the last step of a run that went on to its end, 0 when none did.
        """
        return max(last_step, self._well_at) > self._attempt_first or any(
            one.failure.first_line > self._attempt_first for one in self._findings
        )

    def _keep(self, is_kept: Callable[[_Finding], bool]) -> None:
        self._findings = [one for one in self._findings if is_kept(one)]
        self._tests = {_test_key(one.failure.target) for one in self._findings if one.failure.target}

    @property
    def is_full(self) -> bool:
        """Whether further failures are only counted."""
        return len(self._findings) >= FAILURE_LIMIT

    def has_room(self) -> bool:
        """Whether one more failure can be kept; counts it when not."""
        self._dropped += self.is_full
        return not self.is_full

    def knows_test(self, target: str) -> bool:
        """Whether a failure of this test was found before."""
        key = _test_key(target)
        return key in self._tests or any(
            known.endswith("." + key) or key.endswith("." + known) for known in self._tests
        )

    def roll_up(self, wrapper: Candidate, number: int) -> None:
        """On line `number` a wrapper says that something failed: confirm what waits, give it the wrapper's target."""
        waiting = self._confirm(number)
        self._wrapped_to = number
        if wrapper.rule.tool in _RUNNERS and len(self._stops) < FAILURE_LIMIT:
            self._stops.append(number)
        target = wrapper.fields.get("target")
        if target:
            unnamed = [one for one in self._findings if one.failure.target is None]
            own = next((one for one in unnamed if builds(target, one.unit or one.failure.file or "")), None)
            if own is None:
                own = next((one for one in reversed(waiting) if one in unnamed and _may_make(target, one)), None)
            if own is not None:
                own.failure = replace(own.failure, target=target)
            elif self._is_another_recipe(wrapper):
                self._findings.append(_Finding(replace(wrapper.failure(None, None), rank=UNKNOWN), True, False))
            if wrapper.rule.tool == "make":
                self._made_by = (_level(wrapper), number, len(self._findings))
        if not self._findings and wrapper.category != "unknown":
            self._wrapper = self._wrapper or wrapper.failure(None, None)
        elif self._wrapper is None:
            self._wrapper = replace(wrapper.failure(None, None), rank=UNKNOWN)
        self._well_at = 0

    def _is_another_recipe(self, wrapper: Candidate) -> bool:
        """Whether make says of one more recipe that it failed, of which nothing else is known.

        What a recipe's failure makes fail further up (`make[1]: *** [all]` after `make[2]: *** [a.o]`) is none.
        """
        level, line, count = self._made_by
        if wrapper.rule.tool != "make" or _level(wrapper) < level or wrapper.category != "unknown":
            return False
        is_first = line == 0 and not any(one.certain for one in self._findings)
        return (is_first or (line > 0 and len(self._findings) == count)) and not _is_whole(wrapper)

    def _confirm(self, number: int) -> list[_Finding]:
        """What waits became certain on line `number`; what tools try again only if it stands near."""
        waiting: list[_Finding] = []
        for finding in reversed(self._findings):
            if (
                not finding.certain
                and not finding.went_on
                and (not finding.tentative or number - finding.failure.last_line <= ENDING_LINES)
                and not self._is_overtaken(finding, number)
            ):
                finding.certain, finding.by_word = True, False
                waiting.insert(0, finding)
        for finding in self._findings:
            finding.by_word = finding.by_word and number - finding.failure.last_line > OVERTAKEN_LINES
        return waiting

    def _is_overtaken(self, finding: _Finding, number: int) -> bool:
        """Whether the build went on for long after this, until something else broke it.

        Args:
            finding: what is asked about.
            number: the line of a wrapper's word, or the log's last: what stands near before it explains it.
        """
        return any(
            other.failure.first_line - finding.failure.last_line > OVERTAKEN_LINES
            and (
                (other.certain and not other.by_word)
                or (other.failure.rank < WRAPPER and number - other.failure.last_line <= OVERTAKEN_LINES)
            )
            for other in self._findings
        )

    def all_well(self, number: int, retracts: Collection[str] = ()) -> None:
        """Everything so far went well, says a tool: what was not certain was no failure.

        Args:
            number: the line that says so.
            retracts: the tools whose failed tests passed in the end; what a wrapper confirmed stays. `*` is everything.
        """
        self._findings = [
            finding
            for finding in self._findings
            if finding.certain
            and "*" not in retracts
            and not (finding.within in retracts and finding.failure.first_line > self._wrapped_to)
        ]
        self._tests = {_test_key(finding.failure.target) for finding in self._findings if finding.failure.target}
        self._well_at = number

    def tried_again(self, number: int) -> None:
        """What just failed is tried again, says a tool: it counts only if a later attempt failed, too."""
        for finding in self._findings:
            if finding.tentative and number - finding.failure.last_line <= RETRY_LINES:
                finding.retried_at = number

    def newly_certain(self) -> list[Failure]:
        """The failures that became certain since the last call."""
        fresh = [
            finding
            for finding in self._findings
            if finding.certain and not finding.is_reported and not finding.tentative
        ]
        for finding in fresh:
            finding.is_reported = True
        return [finding.failure for finding in fresh]

    def report(self, exit_code: int | None, last_line: int, last_step: int, *, is_complete: bool) -> Report:
        """All failures, the first real one first.

        Args:
            exit_code: the command's, None when not known.
            last_line: the log's last line.
            last_step: the last line on which ninja or make reported a step.
            is_complete: whether that step was the last of its run.
        """
        if exit_code == 0:
            return Report()
        failed = bool(exit_code)
        if self._attempts_before and not self._attempt_ended(last_step if is_complete and not failed else 0):
            self._findings += self._attempts_before
        kept = [
            finding
            for finding in self._findings
            if not self._was_let_pass(finding, last_line, last_step, is_complete=is_complete and not failed)
        ]
        kept = [
            finding
            for finding in kept
            if finding.certain
            or failed
            or (_ended(finding.failure, last_line) and not (is_complete and finding.failure.last_line < last_step))
            or self._stopped(finding, last_step, is_complete=is_complete)
        ]
        kept = [
            finding
            for finding in kept
            if finding.retried_at is None
            or finding.retried_at >= last_line
            or self._failed_again(finding, kept, is_unfinished=last_step > 0 and not is_complete)
        ]
        if any(one.certain and not one.went_on for one in kept):
            kept = [one for one in kept if not one.went_on]
        failures = [finding.failure for finding in kept]
        real = [failure for failure in failures if failure.rank < WRAPPER]
        # Wrappers without a cause of their own only count when nothing better does.
        failures = real + [
            failure for failure in failures if failure.rank >= WRAPPER and not (real and _says_nothing_new(failure))
        ]
        wrapper = self._wrapper
        if wrapper is not None and wrapper.first_line > self._well_at:
            # What no rule explains, and stands after a wrapper's word, is what a script did then.
            failures = [
                one
                for one in failures
                if one.rank < UNKNOWN or one.first_line <= wrapper.last_line or not one.rule.startswith("any.")
            ]
            failures = failures or [wrapper]
        failures.sort(key=lambda failure: (failure.rank >= WRAPPER, failure.rank >= UNKNOWN, failure.first_line))
        return Report(failures, self._dropped)

    def _was_let_pass(self, finding: _Finding, last_line: int, last_step: int, *, is_complete: bool) -> bool:
        """Whether the build went on after this, and something else, or nothing at all, broke it in the end."""
        if finding.certain and not (finding.by_word and finding.failure.category in _TOLERATED):
            return False
        went_on = is_complete and self._wrapper is None and last_step - finding.failure.last_line > OVERTAKEN_LINES
        return went_on or self._is_overtaken(finding, last_line)

    def _stopped(self, finding: _Finding, last_step: int, *, is_complete: bool) -> bool:
        """Whether something that no tool confirmed may have stopped the build.

        After a run that went on to its last step nothing did. In a run that did not, a diagnostic is believed; words
        that tools also print while they go on are believed only if no step went well after them. What tools try again
        counts only if nothing else explains a wrapper's word or an unfinished run.
        """
        if finding.tentative:
            is_unfinished = last_step > 0 and not is_complete
            return len(self._findings) == 1 and (self._wrapper is not None or is_unfinished)
        if finding.failure.last_line > last_step:
            return True
        return not is_complete and finding.failure.category in DIAGNOSTICS

    def _failed_again(self, finding: _Finding, kept: list[_Finding], *, is_unfinished: bool) -> bool:
        """Whether the last attempt failed, or nothing else explains a wrapper's word or an unfinished run."""
        if len(kept) == 1:
            return self._wrapper is not None or is_unfinished
        return any(
            later.failure.category == finding.failure.category and later.retried_at is None
            for later in kept[kept.index(finding) + 1 :]
        ) or (self._wrapper is not None and all(one.retried_at is not None for one in kept))

    def _name_fully(self, target: str) -> None:
        """A summary names a test with its file; its section did not."""
        key = _test_key(target)
        for finding in self._findings:
            known = finding.failure.target
            if known and len(known) < len(target) and key.endswith("." + _test_key(known)):
                finding.failure = replace(finding.failure, target=target)
                return

    def _repeated(self, failure: Failure, unit: str | None) -> _Finding | None:
        """The same thing found close by: a report printed twice, a cascade in the next unit, another attempt."""
        for finding in self._findings[-3:]:
            other = finding.failure
            if unit and finding.unit and unit != finding.unit:
                continue  # two files that fail alike are two failures
            if other.signature == failure.signature and other.target == failure.target:
                return finding if failure.first_line - other.last_line < ENDING_LINES else None
        return None


def _says_nothing_new(failure: Failure) -> bool:
    """Whether this only repeats that something failed: a target that runs tests, a tool's word without a target."""
    if failure.target is None:
        return failure.rank >= UNKNOWN
    return _TEST_TARGET.search(failure.target) is not None


def _makes(line: str, target: str) -> bool:
    """Whether a line is the step that builds a target."""
    text = clean(line).text
    return text.endswith(f" {target}") and NINJA_STEP.match(text) is not None


def _fails_next(lines: Sequence[str], at: int) -> bool:
    """Whether the step on this line is the one that ninja calls failed on the next."""
    return "FAILED: " in "".join(lines[at + 1 : at + 2])


def _level(wrapper: Candidate) -> int:
    """How deep make was called by make."""
    return int(wrapper.fields.get("number", "0"))


def _is_whole(wrapper: Candidate) -> bool:
    """Whether make's target only stands for others."""
    return _TEST_TARGET.search(wrapper.fields.get("target", "")) is not None


def _ended(failure: Failure, last_line: int) -> bool:
    return last_line - failure.last_line <= ENDING_LINES


def _may_make(target: str, finding: _Finding) -> bool:
    """Whether making a target may have printed this: an object of another source did not."""
    return finding.unit is None or not is_object(target) or builds(target, finding.unit)


def _test_key(target: str) -> str:
    return stable_test(target).replace("::", ".").replace("/", ".").replace("\\", ".").strip(".").replace(".py.", ".")
