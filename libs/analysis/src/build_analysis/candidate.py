"""A failure in the making: what its own line says, and what lines near it add."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from build_analysis.failure import MESSAGE_LIMIT_CHARACTERS, Failure, Fault
from build_analysis.last_words import Words
from build_analysis.places import is_foreign
from build_analysis.rule import FIELDS, Lookup, Rule, rank_of
from build_analysis.signature import normalise, sign, stable_name, stable_test

_LOCATION_BEFORE_MESSAGE = re.compile(
    r"^\s*(?:[A-Za-z]:)?[^\s:][^:\n]{0,400}?(?::\d+){1,2}: *|^\s*\S.{0,400}?\(\d+(?:,\d+)*\) ?: *"
)
# Diagnostics of these categories are distinguished by their test; all others by what they say and where.
_TEST_CATEGORIES = frozenset({"lit_test_failure", "gtest_failure", "ctest_failure", "python_test_failure", "timeout"})
_PLACED_CATEGORIES = frozenset({"compile_error", "missing_header", "warning_as_error", "tablegen_error", "crash"})

_NO_FILES = frozenset(
    {
        "<unknown>",
        "<stdin>",
        "-",
        "unknown file",
        "{standard input}",
        "<command line>",
        "<built-in>",
        "RC",
        "rc",
        "c1",
        "c1xx",
        "c2",
    }
)
"""What tools print in the place of a file where there is none."""


@dataclass(slots=True)
class Awaited:
    """A lookup ahead that may still find its line, up to line `deadline`."""

    lookup: Lookup
    deadline: int
    started: bool = False


@dataclass(slots=True)
class Candidate:
    """One line that a rule calls a failure; fields are filled while the lines after it pass."""

    rule: Rule
    first_line: int
    last_line: int
    category: str
    fault: Fault | None
    rank: int
    fields: dict[str, str] = field(default_factory=dict)
    awaited: list[Awaited] = field(default_factory=list)
    why: tuple[str, ...] = ()

    @classmethod
    def of(cls, rule: Rule, number: int, match: re.Match[str]) -> "Candidate":
        """The candidate a rule makes of line `number`."""
        fields = {name: value.strip() for name, value in match.groupdict().items() if value and value.strip()}
        if rule.message:
            fields["message"] = rule.message
        elif "message" not in fields:
            fields["message"] = _LOCATION_BEFORE_MESSAGE.sub("", match.string).strip() or match.string.strip()
        fields.setdefault("tool", rule.tool or "")
        awaited = [Awaited(lookup, number + lookup.within) for lookup in rule.after]
        return cls(rule, number, number, rule.category, rule.fault, rule.effective_rank, fields, awaited)

    def look_back(self, lines: Iterable[tuple[int, str]]) -> bool:
        """Fill fields from the clean lines before this one, given nearest first.

        Returns:
            Whether every line that the rule requires is there.
        """
        found = self._search_back(lines)
        for lookup in self.rule.before:
            if lookup_match := found.get(id(lookup)):
                self.take(lookup, lookup_match)
            elif lookup.required:
                return False
        return True

    def _search_back(self, lines: Iterable[tuple[int, str]]) -> dict[int, re.Match[str]]:
        """What each lookup, by its identity, found in the lines before this one."""
        pending = [(lookup, self.first_line - lookup.within) for lookup in self.rule.before]
        found: dict[int, re.Match[str]] = {}
        for number, text in lines:
            pending = [(lookup, lowest) for lookup, lowest in pending if number >= lowest]
            if not pending:
                break
            for entry in list(pending):
                lookup = entry[0]
                if match := _answer(lookup, text):
                    if not _is_worse(match, found.get(id(lookup))):
                        found[id(lookup)] = match
                    if lookup.take == "first":
                        pending.remove(entry)
                        continue
                if lookup.until_pattern and lookup.until_pattern.search(text):
                    pending.remove(entry)
        return found

    def look_ahead(self, number: int, text: str) -> None:
        """Fill fields from a line after this one."""
        for awaited in list(self.awaited):
            lookup = awaited.lookup
            if number > awaited.deadline or (lookup.until_pattern and lookup.until_pattern.search(text)):
                self.awaited.remove(awaited)
            elif match := _answer(lookup, text):
                self.last_line = max(self.last_line, number)
                self.take(lookup, match, goes_on=awaited.started)
                awaited.started = True
                if lookup.take == "first" and not lookup.paragraph:
                    self.awaited.remove(awaited)
            elif awaited.started and lookup.paragraph and (text or not self.fields["message"].endswith(":")):
                self.awaited.remove(awaited)

    def take(self, lookup: Lookup, match: re.Match[str], *, goes_on: bool = False) -> None:
        """Take a found line's groups into the fields."""
        again = lookup.replace or lookup.take == "last"
        for name, value in match.groupdict().items():
            if not value or not value.strip():
                continue
            if name == "more":
                message = "" if lookup.replace and not goes_on else self.fields.get("message", "")
                if len(message) < MESSAGE_LIMIT_CHARACTERS:
                    self.fields["message"] = f"{message} {value.strip()}".strip()
            elif name == "location" and name in self.fields and is_foreign(value) and not is_foreign(self.fields[name]):
                continue  # the project's own place says more than one further out
            elif name in FIELDS and (again or name not in self.fields):
                self.fields[name] = value.strip()
        for name, value in lookup.set.items():
            self.set(name, value)

    def become(self, rule: Rule) -> None:
        """Take the kind of failure that a wrapper says it is; the words of the tool that failed stay."""
        self.category, self.fault, self.rank = rule.category, rule.fault, rule.effective_rank

    def take_words(self, words: Words) -> None:
        """Speak in the words of a tool that no rule knows, and take the place that they name."""
        self.first_line, self.fields["message"], self.why = words.number, words.text, words.why
        place = {"file": words.file, "line": words.line, "col": words.col}
        self.fields.update({name: value for name, value in place.items() if value})

    def set(self, name: str, value: str) -> None:
        """Replace a field, the category or the fault."""
        if name == "category":
            self.category, self.rank = value, rank_of(value)
        elif name == "fault":
            self.fault = value  # type: ignore[assignment]  # rule files are validated by their examples
        else:
            self.fields[name] = value

    def failure(self, target: str | None, command: str | None) -> Failure:
        """The failure as far as it is known now, within a scope's target and command."""
        fields = self.fields
        target = fields.get("target") or target
        file = fields.get("file")
        if file in _NO_FILES:
            file = None
        line, col = _number(fields.get("line")), _number(fields.get("col"))
        parts = self._signature_parts(target)
        return Failure(
            category=self.category,
            fault=self.fault,
            tool=fields.get("tool") or None,
            file=file,
            line=line if file else None,
            col=col if file and line else None,
            project_location=_elsewhere(fields.get("location"), file, line),
            message=fields["message"][:MESSAGE_LIMIT_CHARACTERS],
            target=target,
            command=fields.get("command") or command,
            first_line=self.first_line,
            last_line=max(self.first_line, self.last_line),
            signature=sign(parts),
            signature_parts=parts,
            rule=self.rule.id,
            rank=self.rank,
            why=self.why,
        )

    def _signature_parts(self, target: str | None) -> tuple[str, ...]:
        parts = [self.category]
        if code := self.fields.get("code"):
            parts.append(code)
        signed_by = self.rule.signed_by
        if "message" in signed_by or not signed_by:
            # Cut after normalising: where a path's length would end the text must not matter.
            parts.append(normalise(self.fields["message"][:2000])[:MESSAGE_LIMIT_CHARACTERS])
        file = self.fields.get("file")
        if file and ("file" in signed_by or (not signed_by and self.category in _PLACED_CATEGORIES)):
            parts.append(stable_name(file))
        if target and ("target" in signed_by or (not signed_by and self.category in _TEST_CATEGORIES)):
            parts.append(stable_test(target))
        return tuple(parts)


def _answer(lookup: Lookup, text: str) -> re.Match[str] | None:
    match = lookup.pattern.search(text)
    if match and lookup.unless_pattern and lookup.unless_pattern.search(text):
        return None
    return match


def _is_worse(match: re.Match[str], than: re.Match[str] | None) -> bool:
    """Whether a place is someone else's where the project's own is known."""
    if than is None or "location" not in match.re.groupindex:
        return False
    return is_foreign(match["location"] or "") and not is_foreign(than["location"] or "")


def _elsewhere(location: str | None, file: str | None, line: int | None) -> str | None:
    """The place in the project, unless it is the failure's own."""
    if location is None or file is None or line is None:
        return location
    own = (f"{file}:{line}", f"{file}({line}")
    return None if location.startswith(own) and not location[len(own[0]) :][:1].isdigit() else location


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and len(text) < 10 else None
