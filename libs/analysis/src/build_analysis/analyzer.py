"""The analyser: reads a log as it streams and says which failures became certain, at the end which came first.

Memory is bounded whatever the log's length: the last lines for looking back, the open scopes, and the failures found.
"""

import re
from collections.abc import Sequence

from build_analysis.candidate import Candidate
from build_analysis.cmake_instrumentation import without_launcher
from build_analysis.failure import Failure, Report
from build_analysis.findings import DIAGNOSTICS, NINJA_STEP, Findings
from build_analysis.gate import is_last_step
from build_analysis.green_lines import GreenLines
from build_analysis.hard_wrap import PARTS, HardWrap
from build_analysis.indent import Indent
from build_analysis.last_words import REACH_LINES, Words, last_words
from build_analysis.prefixes import MATCHED_CHARACTERS, CleanLine, clean
from build_analysis.printed_log import LOG_LIMIT_LINES, READ_LINES, PrintedLog
from build_analysis.python_frames import REACH_LINES as FRAMES_REACH_LINES
from build_analysis.python_frames import look_through_frames
from build_analysis.rule import CONTAINERS, PACKAGER_RANK, UNKNOWN, Rule
from build_analysis.rule_set import RuleSet, default_rules
from build_analysis.scope import SCOPE_LIMIT_LINES, Scope
from build_analysis.units import unit_of
from build_analysis.window import LOOK_BACK_LINES, Window

ATTENTION_LINES = 60
"""After a failing line, this many lines are read one by one; then the gate decides again what is worth a look."""
CLUSTER_GAP_LINES = 40
"""Diagnostics without a scope that are nearer to each other than this belong together."""
CHANNEL_LIMIT = 256
FLOOD_LINES = 20
"""After so many failing lines in a row, more of the same kind belong to them without a look."""
ANNOUNCED_LIMIT = 500
"""So many names of failed tests are kept until a block, or a list, says more of them."""
NEW_WORDS_LINES = 40
"""So far before a wrapper's word its cause is looked for among the lines that no green build printed."""
WORDLESS_LIMIT = 20
"""For so many wrappers whose cause no rule knows the lines before them are searched."""
POST_JOB_LINES = 200
"""So many lines after a CI job's end only clean up; what fails there fails no build."""
OVERWRITTEN_PARTS = 8
"""Of a line that carriage returns wrote over, so many of the last parts are read."""


class LogAnalyzer:
    """Finds the failures of one build's log; feed it every line, in order, then finish it."""

    def __init__(self, rules: RuleSet | None = None, green: GreenLines | None = None) -> None:
        self._rules = rules or default_rules()
        self._green = green
        self._window = Window()
        self._indent = Indent()
        self._wrap = HardWrap()
        self._joined_to = 0
        self._attention_until = 0
        self._scopes: list[Scope] = []
        self._channels: dict[str, Scope] = {}
        self._root = Scope("root", 0)
        self._findings = Findings()
        self._logs: list[PrintedLog] = []
        self._runs: dict[str, int] = {}
        """The programs whose run goes on, each with its first line."""
        self._step_first = 0
        self._step_failed = False
        self._listing: Rule | None = None
        self._announced: dict[str, Candidate] = {}
        self._last_number = 0
        self._last_step = 0
        self._is_complete = False
        self._over_until = 0
        self._looked_back_to = 0
        self._wordless = 0

    def feed(self, first_line: int, lines: Sequence[str]) -> list[Failure]:
        """Read the next lines of the log.

        Args:
            first_line: The number of the first of `lines`, counted from 1.
            lines: The lines, without their ends.

        Returns:
            The failures that became certain with these lines.
        """
        self._window.open(first_line, lines)
        self._wrap.look(lines)
        seen = self._rules.gate.hits(lines)
        hits = seen.lines
        at_hit, index, count = 0, 0, len(lines)
        while index < count:
            while at_hit < len(hits) and hits[at_hit] < index:
                at_hit += 1
            next_hit = hits[at_hit] if at_hit < len(hits) else count
            if index < next_hit and first_line + index > self._attention_until and not self._is_inside():
                index = next_hit
                continue
            if not self._is_idle() or self._wrap.width or self._may_matter(lines[index]):
                self._read(first_line + index, lines[index], is_hit=index == next_hit)
            index += 1
        self._last_number = first_line + count - 1
        last_step = seen.last_step
        if last_step is None and self._findings.awaits_steps:
            # The gate knows steps behind no prefix but GitHub's; only after a run that failed does it matter.
            last_step = next((at for at in range(count - 1, -1, -1) if NINJA_STEP.match(clean(lines[at]).text)), None)
        if last_step is not None:
            self._last_step = first_line + last_step
            self._is_complete = is_last_step(lines[last_step])
            self._findings.steps_passed(first_line, lines, last_step)
        self._window.close()
        return self._findings.newly_certain()

    def finish(self, exit_code: int | None = None) -> Report:
        """All failures of the log, the first real one first.

        Args:
            exit_code: the build command's, when known; 0 means that nothing failed, whatever the log's words.
        """
        for scope in [*reversed(self._scopes), *self._channels.values()]:
            # A log that ends inside a test or an edge was cut there, or the process died.
            self._close(scope, self._last_number, failed=scope.failed is not False)
        self._scopes.clear()
        self._end_everything(self._last_number)
        for target in list(self._announced):
            self._tell_announced(target)
        report = self._findings.report(exit_code, self._last_number, self._last_step, is_complete=self._is_complete)
        failure = self._last_failure() if exit_code and not report.failures else None
        return report if failure is None else Report([failure])

    def _last_failure(self) -> Failure | None:
        """The failure of a command whose exit code alone says that it failed, in its last words of alarm."""
        lines = self._window.lines_before(self._last_number + 1, REACH_LINES)
        words = last_words(lines, is_green=self._is_green, alarms_only=True, at_end=True)
        if words is None:
            return None
        rule = _EXIT_CODE
        candidate = Candidate(rule, words.number, self._last_number, rule.category, rule.fault, rule.effective_rank)
        candidate.take_words(words)
        return candidate.failure(None, None)

    # Reading one line

    def _is_inside(self) -> bool:
        """Whether every line matters now: a failed scope is open, or a test's outcome is awaited."""
        if self._channels or self._listing is not None:
            return True
        if self._logs and not self._logs[-1].rule.attached:
            return True
        return any(scope.failed or scope.best for scope in self._scopes)

    def _is_idle(self) -> bool:
        """Whether nothing is open that a line could add to."""
        return not (self._scopes or self._channels or self._root.best or self._listing or self._logs)

    def _may_matter(self, raw: str) -> bool:
        """Whether a rule might answer this line when nothing is open; prefixes only add to what a rule looks for."""
        return bool(
            "\x1b" in raw or "[error]" in raw or "::error" in raw or self._rules.candidates(raw[:MATCHED_CHARACTERS])
        )

    def _read(self, number: int, raw: str, *, is_hit: bool) -> None:
        if self._adds_nothing(number, raw):
            return
        line = self._indent.taken_off(clean(raw))
        if line.is_marked:
            self._step_failed = True
        if self._logs:
            line = line._replace(text=self._logs[-1].without_margin(line.text))
        scope = self._scope_of(line)
        for open_scope in self._scopes:
            if open_scope is not scope:
                open_scope.look_ahead(number, line.text)
        scope.look_ahead(number, line.text)
        if self._is_command(scope, line) or (self._listing is not None and self._read_item(number, line.text)):
            return
        self._forget_stale(number)
        if self._is_flood(scope, number, line.text):
            scope.follow(number)
            return
        if number <= self._joined_to or (self._wrap.width and self._answer_joined(number, raw)):
            scope.follow(number)
            return
        if self._answer(number, line, is_hit=is_hit) or (
            is_hit and "\r" in raw[:-1] and self._answer_overwritten(number, raw)
        ):
            return
        self._note(scope, number, line.text)

    def _adds_nothing(self, number: int, raw: str) -> bool:
        """Whether the literals in a line already show that it only follows what is known; by far the cheapest look."""
        scope = self._scopes[-1] if self._scopes else self._root
        is_full = scope.failed is True and self._findings.is_full
        if not is_full and (scope.flood is None or scope.best is None or scope.best.awaited):
            return False
        if len(self._scopes) > 1 or self._channels or self._logs or self._listing:
            return False
        if number > scope.first_line + SCOPE_LIMIT_LINES or any(mark in raw for mark in _NEEDS_CLEANING):
            return False
        rules = self._rules.candidates(raw[:MATCHED_CHARACTERS])
        if is_full:
            return self._is_counted(scope, number, raw, rules)
        if rules is not scope.flood or not scope.last_candidate_line == self._looked_back_to == number - 1:
            return False
        self._looked_back_to = number
        scope.follow(number)
        return True

    def _is_counted(self, scope: Scope, number: int, raw: str, rules: tuple[Rule, ...]) -> bool:
        """Whether a line within a failure that is only counted changes nothing: its words are not kept."""
        if scope.awaits_command:
            scope.awaits_command = not (raw and not _TOOL_MESSAGE.match(raw) and not _PROGRESS.match(raw))
            return not scope.awaits_command
        if rules and (scope.best is None or not self._rules.are_causes(rules)):
            return False
        if scope.best is not None:
            scope.follow(number)
        return True

    def _is_flood(self, scope: Scope, number: int, text: str) -> bool:
        """Whether this is one more of many lines in a row that the same rules ask about: they are not asked again."""
        if scope.best is None or scope.last_candidate_line != number - 1 or scope.followers < FLOOD_LINES:
            scope.flood = None
            return False
        rules = self._rules.candidates(text)
        is_one_more = rules is scope.flood and self._looked_back_to == number - 1
        scope.flood = rules
        if is_one_more:
            self._looked_back_to = number
        return is_one_more

    def _answer(self, number: int, line: CleanLine, *, is_hit: bool = True) -> bool:
        """Do what the first rule says that knows this line; whether there is one."""
        return any(self._act(rule, match, number, line) for rule, match in self._rules.answers(line, is_hit=is_hit))

    def _answer_overwritten(self, number: int, raw: str) -> bool:
        """Ask about what a carriage return wrote over: a terminal hides it, a log does not."""
        parts = raw[:MATCHED_CHARACTERS].rstrip("\r").split("\r")[:-1]
        return any(self._answer(number, clean(part)) for part in reversed(parts[-OVERWRITTEN_PARTS:]))

    def _answer_joined(self, number: int, raw: str) -> bool:
        """Ask about the text that was wrapped into this line and its neighbours, for a cause only."""
        parts, first = [raw], number
        for earlier, before in self._window.lines_before(number, PARTS):
            if not self._wrap.goes_on(before, parts[0]):
                break
            parts.insert(0, before)
            first = earlier
        for following in self._window.lines_after(number, PARTS):
            if not self._wrap.goes_on(parts[-1], following):
                break
            parts.append(following)
        if len(parts) == 1:
            return False
        line = self._indent.taken_off(clean("".join(parts)))
        for rule, match in self._rules.answers(line):
            if rule.role != "cause":
                return False
            if self._act(rule, match, first, line):
                self._joined_to = first + len(parts) - 1
                return True
        return False

    def _act(self, rule: Rule, match: re.Match[str], number: int, line: CleanLine) -> bool:
        """Do what the rule's role says; `ignore` does nothing. False when the rule looks back and was wrong."""
        if rule.announces and len(self._announced) < ANNOUNCED_LIMIT:
            self._announced.setdefault(match["target"], Candidate.of(rule, number, match))
        if rule.role == "cause":
            # What stands within a failed edge or test broke it, though a green build printed the like.
            is_known = not self._is_new(line.text) and not any(scope.failed for scope in self._scopes)
            return is_known or self._suspect(rule, match, number, line)
        if rule.role in ("open", "close") and rule.scope in CONTAINERS:
            return self._contain(rule, match, number)
        if rule.role == "open":
            self._open(rule, match, number, line)
        elif rule.role == "close":
            self._close_by(rule, match, number, line)
        elif rule.role == "end":
            self._end_cluster()
        elif rule.role == "rollup":
            self._roll_up(rule, match, number)
        elif rule.role == "list":
            self._listing = rule
        else:
            self._reassure(rule, number)
        return True

    def _reassure(self, rule: Rule, number: int) -> None:
        """Take back, or doubt, what was found, or will be, as the rule's role says."""
        if rule.role == "green":
            self._scopes = [one for one in self._scopes if one.rule is None or one.rule.tool not in rule.retracts]
            self._announced = {
                name: one
                for name, one in self._announced.items()
                if "*" not in rule.retracts and one.rule.tool not in rule.retracts
            }
            self._end_cluster()
            self._findings.all_well(number, rule.retracts)
        elif rule.role == "retry":
            self._end_cluster()
            self._findings.tried_again(number)
        elif rule.role == "post":
            self._over_until = number + POST_JOB_LINES

    def _is_command(self, scope: Scope, line: CleanLine) -> bool:
        """Whether this line is the command that ninja prints below FAILED."""
        if not scope.awaits_command or not line.text:
            return False
        scope.awaits_command = False
        if _PROGRESS.match(line.text):
            return False
        # An excerpt, or a rule that hides its command, goes on with what the tool printed: "ld.lld: error: ...".
        if _TOOL_MESSAGE.match(line.text) and any(rule.role == "cause" for rule, _ in self._rules.answers(line)):
            return False
        scope.command = without_launcher(line.text)[:2000]
        return True

    def _scope_of(self, line: CleanLine) -> Scope:
        if line.channel is not None and line.channel in self._channels:
            return self._channels[line.channel]
        return self._scopes[-1] if self._scopes else self._root

    def _forget_stale(self, number: int) -> None:
        if self._root.best is not None and number > self._root.last_candidate_line + CLUSTER_GAP_LINES:
            self._end_cluster()
        if self._scopes and number > self._scopes[0].first_line + SCOPE_LIMIT_LINES:
            self._scopes.pop(0)
        if self._logs and not self._logs[-1].rule.attached and number > self._logs[-1].first_line + LOG_LIMIT_LINES:
            self._leave_log(number - 1)

    # Causes

    def _suspect(self, rule: Rule, match: re.Match[str], number: int, line: CleanLine) -> bool:
        scope = self._root if rule.tool in _CI_SYSTEMS else self._home_of(line, number)
        if scope is self._root:
            is_cleaning_up = number <= self._over_until and not (line.is_marked or rule.certain)
            if (is_cleaning_up and rule.category not in DIAGNOSTICS) or not self._join(rule, match, number):
                return True
            scope = self._root
        if scope.best is not None and not rule.alone:
            if scope.best.rank >= UNKNOWN and rule.effective_rank >= PACKAGER_RANK:
                scope.best.become(rule)
            if scope.best.rank <= rule.effective_rank:
                scope.follow(number)
                return True
        candidate = Candidate.of(rule, number, match)
        if self._logs and self._logs[-1].ends_with(candidate):
            self._leave_log(number - 1)
            return True
        if not self._fill(candidate, number):
            return False
        if rule.alone and scope is self._root:
            self._end_cluster()
            self._findings.add(candidate.failure(None, None), certain=rule.certain, rule=rule, by_word=True)
            return True
        scope.add(candidate)
        self._attention_until = max(self._attention_until, number + ATTENTION_LINES)
        return True

    def _note(self, scope: Scope, number: int, text: str) -> None:
        """Remember a line that no rule knows, and no green build printed."""
        if self._is_new(text):
            scope.note_output(number, text)
            if self._logs:
                self._logs[-1].note(number, text)

    def _is_new(self, text: str) -> bool:
        """Whether no green build printed this line."""
        return self._green is None or not self._green.knows(text)

    def _in_last_words(self, candidate: Candidate) -> None:
        """Let a wrapper whose cause no rule knows speak in the words before it that most probably say why."""
        if candidate.category != "unknown" or self._wordless >= WORDLESS_LIMIT:
            return
        self._wordless += 1
        words = last_words(
            self._window.lines_before(candidate.first_line, REACH_LINES),
            is_green=self._is_green,
            alarms_only=candidate.rule.tool in _RUNS_COMMANDS,
        )
        if words is None or (self._green is not None and words.number < candidate.first_line - NEW_WORDS_LINES):
            words = self._first_new_words(candidate.first_line) or words
        if words is not None:
            candidate.take_words(words)

    def _is_green(self, text: str) -> bool:
        return self._green is not None and self._green.knows(text)

    def _first_new_words(self, number: int) -> Words | None:
        """The first line since the last step that no green build printed, where it is known what green builds print."""
        found = None
        lines = self._window.clean_lines_before(number, NEW_WORDS_LINES) if self._green is not None else ()
        for earlier, text in lines:
            if _PROGRESS.match(text):
                break
            if text and not self._is_green(text):
                found = Words(earlier, text)
        return found

    def _join(self, rule: Rule, match: re.Match[str], number: int) -> bool:
        """Let an unscoped diagnostic begin a failure of its own; False where it is more of one that waits for make."""
        if rule.category in _OF_A_UNIT and not self._findings.is_full:
            unit = unit_of(match, self._window.clean_lines_before(number))
            if unit is not None and self._findings.waits_for(unit):
                return False
            if unit is not None and unit != (self._root.unit or unit):
                self._end_cluster()
            self._root.unit = unit or self._root.unit
        if self._root.best is not None and _starts_anew(self._root.best, rule):
            self._end_cluster()
        return True

    def _fill(self, candidate: Candidate, number: int) -> bool:
        """Fill a candidate from the lines before it; False where a line that its rule requires is not there."""
        if self._logs:
            self._logs[-1].adapt(candidate)
        rule = candidate.rule
        if not (rule.before or rule.frames) or self._findings.is_full:
            return True
        if not candidate.look_back(self._window.clean_lines_before(number)):
            return False
        if rule.frames:
            look_through_frames(candidate, list(self._window.clean_lines_before(number, FRAMES_REACH_LINES)))
        return True

    def _home_of(self, line: CleanLine, number: int) -> Scope:
        """The scope a failure on this line belongs to; looks back for one that the gate passed by."""
        if line.channel is not None and (channel := self._channel_scope(line.channel, number)):
            return channel
        home = self._scopes[-1] if self._scopes else self._root
        if home.failed and home.kind != "edge":
            return home
        stop = max(self._looked_back_to, home.first_line)
        self._looked_back_to = number
        if stop == number - 1:
            return home
        for earlier, raw in self._window.lines_before(number, LOOK_BACK_LINES):
            if earlier <= stop:
                return home
            if behind := next(self._rules.behind(raw), None):
                rule, match = behind
                self._drop_undecided()
                if rule.role == "open":
                    self._scopes.append(Scope.opened(rule, match, earlier, None))
                return self._scopes[-1] if self._scopes else self._root
        self._drop_undecided()
        return self._scopes[-1] if self._scopes else self._root

    def _channel_scope(self, channel: str, number: int) -> Scope | None:
        if channel not in self._channels and len(self._channels) < CHANNEL_LIMIT:
            self._channels[channel] = Scope("channel", number, channel=channel)
        return self._channels.get(channel)

    def _drop_undecided(self) -> None:
        """Forget tests that ended where nobody looked, because all was well there."""
        while self._scopes and not self._scopes[-1].failed and self._scopes[-1].best is None:
            self._scopes.pop()

    # Scopes

    def _open(self, rule: Rule, match: re.Match[str], number: int, line: CleanLine) -> None:
        scope = Scope.opened(rule, match, number, line.channel)
        # The block of a test that was named as failed says more than the name, unless it has no words.
        named = self._announced.pop(scope.target or "", None)
        if named is not None and named.category == "timeout":
            scope.rule = named.rule
        printed = self._channels.pop(f"ctest {match.groupdict().get('number')}", None)
        if printed is not None and printed.best is not None:
            # `ctest -V` printed the test's output before it reported how the test ended.
            printed.target = scope.target
            self._close(printed, number, failed=True)
            scope.is_explained = True
        if rule.scope == "edge":
            self._close_all(number)
            if self._root.best is not None and self._progress_since(self._root.best.first_line, number):
                self._end_cluster(went_on=True)
            elif self._root.best is not None:
                # A console edge (a test run) printed before ninja could say that it failed.
                scope.best, self._root.best = self._root.best, None
            scope.awaits_command = scope.command is None
            passed_by = self._findings.last_passed_by()
            scope.follows_words = passed_by > 0 and self._steps_between(passed_by, number) <= 1
        else:
            passed = self._scopes[-1] if self._scopes else None
            if passed is not None and passed.failed is False and passed.target == scope.target:
                return  # the block of a test that was expected to fail
            for same in [open_scope for open_scope in self._scopes if open_scope.kind == scope.kind]:
                self._close(
                    same, number - 1, failed=same.failed is True or (same.failed is None and same.kind == "gtest")
                )
                self._scopes.remove(same)
            if self._root.best is not None:
                self._end_cluster()
        self._scopes.append(scope)
        if scope.failed:
            self._attention_until = max(self._attention_until, number + ATTENTION_LINES)

    def _progress_since(self, first: int, number: int) -> bool:
        return self._steps_between(first, number - 1) > 0

    def _steps_between(self, first: int, number: int) -> int:
        """How many steps were reported before line `number`, and after line `first` as far as that is remembered."""
        reach = min(number - first, LOOK_BACK_LINES)
        return sum(_PROGRESS.match(text) is not None for _, text in self._window.clean_lines_before(number, reach))

    def _close_by(self, rule: Rule, match: re.Match[str], number: int, line: CleanLine) -> None:
        groups = match.groupdict()
        channel = f"ctest {groups['number']}" if groups.get("number") else line.channel
        if channel is not None and channel in self._channels:
            scope = self._channels.pop(channel)
            scope.target = groups.get("target") or scope.target
            self._close(scope, number, failed=rule.outcome != "passed")
            return
        for at in range(len(self._scopes) - 1, -1, -1) if rule.scope else range(bool(self._scopes)):
            if rule.scope is None or self._scopes[at].kind == rule.scope:
                for inner in reversed(self._scopes[at:]):
                    # Something else goes on while a test's outcome was awaited: its process died.
                    failed = inner.failed is not False if rule.outcome is None else rule.outcome == "failed"
                    if inner.failed is False and inner.kind == rule.scope:
                        failed = False
                    elif (inner.kind == "gtest" or inner.failed) and inner.target != groups.get("target", inner.target):
                        failed = True  # another test prints, which is no result of this one
                    if inner.kind == rule.scope:
                        inner.target = inner.target or groups.get("target")
                    # A line that only shows that something else goes on is none of it.
                    self._close(inner, number - (rule.outcome is None), failed=failed)
                del self._scopes[at:]
                return
        if rule.outcome == "failed" and rule.scope == "gtest" and self._root.best is not None:
            # A test whose beginning the log does not show.
            self._root.target = groups.get("target")
            self._root.best.fields.setdefault("target", groups.get("target") or "")
            self._end_cluster(certain=True)
        elif rule.tool == "ninja" and self._root.best is not None:
            # What an edge printed that ninja does not call failed: it passed. In a printed log, steps are of two runs.
            self._end_cluster(went_on=not self._logs)

    def _close_all(self, number: int) -> None:
        for scope in reversed(self._scopes):
            # Of a gtest whose outcome was not printed before a wrapper's line, the process died.
            died = scope.kind == "gtest" and scope.failed is None
            self._close(scope, number - 1, failed=scope.failed is True or died)
        self._scopes.clear()

    def _close(self, scope: Scope, number: int, *, failed: bool) -> None:
        """Judge a scope at its end: what it found is a failure only if it failed."""
        if not failed:
            return
        if scope.best is not None and not scope.has_better_words():
            scope.best.last_line = max(scope.best.last_line, min(number, scope.best.first_line + 2000))
            certain = scope.failed is True or scope.channel is not None or scope.kind == "gtest"
            if self._findings.has_room():
                failure = scope.best.failure(scope.target, scope.command)
                within = scope.rule.tool if scope.rule else None
                self._findings.add(failure, certain=certain, rule=scope.best.rule, within=within, scoped=True)
            for outer in self._scopes:
                outer.is_explained = outer.is_explained or outer.first_line < scope.first_line
        elif scope.rule is not None and scope.failed and not scope.is_explained:
            if scope.follows_words and not (scope.first_alarm or scope.first_output) and self._findings.adopt(scope):
                return
            self._findings.add(scope.bare_failure(scope.rule, number), certain=True, rule=scope.rule, scoped=True)

    def _end_cluster(self, *, certain: bool = False, went_on: bool = False) -> None:
        best, unit, self._root = self._root.best, self._root.unit, Scope("root", 0)
        if best is not None:
            self._findings.add(
                best.failure(None, None),
                certain=certain or best.rule.certain,
                rule=best.rule,
                by_word=not certain,
                unit=unit,
                went_on=went_on,
            )

    # Containers: printed logs, runs of programs, steps, attempts

    def _contain(self, rule: Rule, match: re.Match[str], number: int) -> bool:
        """Begin or end a container; False where the rule's line means nothing here."""
        if rule.scope == "log":
            return self._enter_log(rule, match, number) if rule.role == "open" else self._end_log(rule, number)
        if rule.scope == "attempt":
            return self._begin_attempt(number)
        if rule.scope == "step" and rule.role == "open":
            self._begin_step(number)
        elif rule.scope == "step":
            self._end_cluster()
            self._findings.silence(self._step_first, number, scoped=False)
            self._step_first = number
        elif rule.role == "open":
            self._end_cluster()
            self._runs[rule.tool or ""] = number
        else:
            return self._end_run(rule, match, number)
        return True

    def _enter_log(self, rule: Rule, match: re.Match[str], number: int) -> bool:
        if self._logs and self._logs[-1].rule.tool == rule.tool:
            self._leave_log(number - 1)
        wrapper = Scope.opened(rule, match, number, None)
        if rule.attached:
            wrapper = self._scopes[-1] if self._scopes else self._root
            if wrapper.best is None or not wrapper.best.rule.awaits_log:
                return False
        else:
            self._close_all(number)
            self._end_cluster()
        self._logs.append(PrintedLog(rule, number, wrapper, self._scopes, self._root, self._findings.count))
        self._scopes, self._root = [], Scope("root", 0)
        self._attention_until = max(self._attention_until, number + READ_LINES)
        return True

    def _end_log(self, rule: Rule, number: int) -> bool:
        if not self._logs or self._logs[-1].rule.tool != rule.tool:
            return False
        self._leave_log(number - 1)
        return True

    def _leave_log(self, number: int) -> None:
        """What the log showed explains its wrapper; where it showed nothing, the wrapper is the failure."""
        self._close_all(number)
        self._end_cluster(certain=True)
        ended = self._logs.pop()
        self._scopes, self._root = ended.scopes, ended.root
        wrapper = ended.wrapper
        is_explained = self._findings.count > ended.found
        if ended.rule.outcome == "passed":
            self._findings.forget_since(ended.found)
            return
        self._findings.drop_echoes(ended.found)
        if is_explained:
            self._findings.name_since(ended.found, wrapper.target)
            wrapper.is_explained, wrapper.best = True, None
        elif wrapper.rule is not None and not ended.rule.attached:
            self._close(ended.wrapper_in_its_words(), number, failed=True)

    def _end_everything(self, number: int) -> None:
        """Nothing of what goes on reaches beyond this line."""
        while self._logs:
            self._leave_log(number)
        self._close_all(number)
        self._end_cluster()

    def _begin_attempt(self, number: int) -> bool:
        """All that failed up to here was one attempt, if a wrapper just reported that it failed."""
        if not self._findings.has_just_failed(number):
            return False
        self._end_everything(number)
        self._announced.clear()
        self._findings.begin_attempt(number, self._step_first)
        return True

    def _begin_step(self, number: int) -> None:
        """A CI system's next step: it runs one only when the one before it went well, unless that was marked."""
        self._end_everything(number)
        if self._step_first and not self._step_failed:
            self._findings.silence(self._step_first, number - 1, scoped=False)
        self._step_first, self._step_failed = number, False

    def _end_run(self, rule: Rule, match: re.Match[str], number: int) -> bool:
        """A program's summary: of a run that passed nothing failed, of one that failed only what it calls failed."""
        first = self._runs.pop(rule.tool or "", None)
        if first is None and rule.outcome == "failed" and rule.category != "unknown":
            self._roll_up(rule, match, number)  # an excerpt that lacks the run's beginning
            return True
        if first is None:
            # Nor does a test go on that began within the part of the run that is not shown.
            self._scopes = [one for one in self._scopes if one.failed is not None or one.kind != "test"]
            return False
        has_failed = rule.outcome == "failed" or any(scope.failed for scope in self._scopes)
        if rule.outcome == "passed" or not (has_failed or self._announced or self._findings.has_tests(first)):
            self._scopes = [scope for scope in self._scopes if scope.first_line < first]
            if self._root.best is not None and self._root.best.first_line >= first:
                self._root = Scope("root", 0)
            self._announced = {name: one for name, one in self._announced.items() if one.first_line < first}
            self._findings.silence(first, number)
            return True
        self._close_all(number)
        self._end_cluster()
        if not self._findings.keep_tests(first, set(self._announced)) and rule.category != "unknown":
            self._findings.add(Candidate.of(rule, number, match).failure(None, None), certain=True, rule=rule)
        return True

    # Wrappers and lists

    def _roll_up(self, rule: Rule, match: re.Match[str], number: int) -> None:
        if self._logs and self._logs[-1].rule.outcome == "passed":
            self._close_all(number)
            return
        if self._logs:
            if self._logs[-1].is_rolled_up and not self._scopes and self._root.best is None:
                self._leave_log(number - 1)
            else:
                self._logs[-1].is_rolled_up = True
        self._end_cluster()
        self._close_all(number)
        candidate = Candidate.of(rule, number, match)
        if not self._findings.count:
            self._in_last_words(candidate)
        self._findings.roll_up(candidate, number)

    def _read_item(self, number: int, text: str) -> bool:
        rule = self._listing
        if rule is None or rule.item_pattern is None:
            return False
        match = rule.item_pattern.search(text)
        if match is None:
            if text:
                self._listing = None
            return False
        if not self._tell_announced(match["target"]) and not self._findings.knows_test(match["target"]):
            candidate = Candidate.of(rule, number, match)
            self._findings.add(candidate.failure(None, None), certain=True, rule=rule)
        return True

    def _tell_announced(self, target: str) -> bool:
        """A test that was only named as failed, and whose reason the log does not show, failed on that line."""
        candidate = self._announced.pop(target, None)
        if candidate is None or self._findings.knows_test(target):
            return False
        self._findings.add(candidate.failure(None, None), certain=True, rule=candidate.rule)
        return True


_EXIT_CODE = Rule(id="exit_code", rank=UNKNOWN, has=("exit code",), match="exit code")
"""What stands in a rule's place where only the command's exit code says that it failed."""
_CI_SYSTEMS = frozenset({"ci", "gha", "jenkins", "buildbot"})
"""What these print of a job stands around its tests, never within one."""
_RUNS_COMMANDS = frozenset({"make", "ninja", "samurai", "spack"})
"""Wrappers that print their commands, too: of these only a word of alarm says why."""
_OF_A_UNIT = frozenset({"compile_error", "missing_header", "warning_as_error"})
"""What belongs to one source file that is being compiled."""
_NEEDS_CLEANING = ("\x1b", "\r", "##[", "::error")
"""A line with one of these says more than its literals: a CI system's mark, or text that a terminal hides."""
_TOOL_MESSAGE = re.compile(r"[^\s\"']+:(?: |$)|CMake Error|(?:fatal )?[Ee]rror: ")
_PROGRESS = re.compile(r"\[\s*\d+/\d+[^\]]{0,20}\] |\[\s{0,2}\d{1,3}%\] ")


def _starts_anew(best: Candidate, rule: Rule) -> bool:
    """Whether an unscoped diagnostic is a failure of its own: the same kind of thing, reported by another tool."""
    return best.rank == rule.effective_rank and best.rule.tool != rule.tool
