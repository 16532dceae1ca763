"""The rules in force: loaded from YAML text, ordered, and asked about a line."""

import logging
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml

from build_analysis.automaton import literal_search
from build_analysis.gate import Gate
from build_analysis.prefixes import CleanLine, clean
from build_analysis.rule import CONTAINERS, Rule, RuleFile

# A fragment, and the literals that contain it, each with its number.
_Index = dict[str, list[tuple[str, int]]]

_ROLE_ORDER = {
    "ignore": 0,
    "open": 1,
    "close": 1,
    "list": 1,
    "end": 3,
    "cause": 2,
    "rollup": 4,
    "green": 5,
    "retry": 5,
    "post": 5,
}


FURTHER_RULES = "BUILD_DASHBOARD_RULES"
"""The environment variable that names a folder of further rule files."""

log = logging.getLogger("build_analysis")

KNOWN_LIMIT = 4096
"""Sets of literals whose rules are remembered; a log's lines contain few different ones."""


class RuleSet:
    """Answers which rules a line matches, in order of role, then of rank, then as written."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(rules, key=_order))
        self._lookbehind = tuple((literal, rule) for rule in self.rules if rule.lookbehind for literal in rule.has)
        self._lookbehind_search = literal_search([literal for literal, _ in self._lookbehind])
        self.gate = Gate(literal for rule in self.rules if _must_be_seen(rule) for literal in rule.has)
        self._marked = tuple(rule for rule in self.rules if rule.marked)
        by_literal: dict[str, list[int]] = {}
        for order, rule in enumerate(self.rules):
            for literal in rule.has if not rule.marked else ():
                by_literal.setdefault(literal, []).append(order)
        self._literals = tuple(by_literal)
        self._orders = tuple(by_literal.values())
        self._literal_search = literal_search(self._literals)
        # Hundreds of literals share few fragments: a line is asked for these, then only for what contains them.
        self._by_fragment: _Index = {}
        self._nearby: _Index = {}
        for at, literal in enumerate(self._literals):
            fragment = next((known for known in self.gate.fragments if known in literal), None)
            index = self._nearby if fragment is None else self._by_fragment
            index.setdefault(fragment or literal, []).append((literal, at))
        nearby = [entry for literals in self._nearby.values() for entry in literals]
        self._nearby_at = tuple(at for _, at in nearby)
        self._nearby_search = literal_search([literal for literal, _ in nearby])
        self._known: dict[tuple[int, ...], tuple[Rule, ...]] = {}
        self._causes: dict[int, tuple[tuple[Rule, ...], bool]] = {}

    def answers(self, line: CleanLine, *, is_hit: bool = True) -> Iterator[tuple[Rule, re.Match[str]]]:
        """The rules that answer this line, in order, with how they match it.

        Args:
            line: any line.
            is_hit: whether the gate found something in it; few rules are about the other lines.
        """
        text = line.text
        for rule in self.candidates(text, is_hit=is_hit):
            match = rule.pattern.search(text)
            if match and not (rule.unless_pattern and rule.unless_pattern.search(text)):
                yield rule, match
        if line.is_marked:
            for rule in self._marked:
                match = rule.pattern.search(text)
                if match and not (rule.unless_pattern and rule.unless_pattern.search(text)):
                    yield rule, match

    def match(self, line: CleanLine, *, is_hit: bool = True) -> tuple[Rule, re.Match[str]] | None:
        """The first rule that answers this line."""
        return next(self.answers(line, is_hit=is_hit), None)

    def behind(self, raw: str) -> Iterator[tuple[Rule, re.Match[str]]]:
        """The rules that looking back from a failure may meet on this line, with how they match it."""
        if self._lookbehind_search is not None:
            met = sorted(self._lookbehind_search(raw))
        else:
            met = [at for at, (literal, _) in enumerate(self._lookbehind) if literal in raw]
        for at in met:
            rule = self._lookbehind[at][1]
            if match := rule.pattern.search(clean(raw).text):
                yield rule, match

    def candidates(self, text: str, *, is_hit: bool = True) -> tuple[Rule, ...]:
        """The rules one of whose literals is in the text; the same object for the same literals."""
        if not is_hit and self._nearby_search is not None:
            found = tuple(self._nearby_at[i] for i in self._nearby_search(text))
        elif not is_hit:
            found = tuple(_collect(text, self._nearby))
        elif self._literal_search is not None:
            found = tuple(self._literal_search(text))
        else:
            found = tuple(_collect(text, self._by_fragment)) + tuple(_collect(text, self._nearby))
        if not found:
            return ()
        rules = self._known.get(found)
        if rules is None:
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            orders = sorted({order for at in found for order in self._orders[at]})
            rules = self._known[found] = tuple(self.rules[order] for order in orders)
        return rules

    def are_causes(self, rules: tuple[Rule, ...]) -> bool:
        """Whether no rule of these begins, ends or confirms anything: one more cause is all that their line can be."""
        known = self._causes.get(id(rules))
        if known is None or known[0] is not rules:
            if len(self._causes) >= KNOWN_LIMIT:
                self._causes.clear()
            known = self._causes[id(rules)] = rules, all(rule.role in ("cause", "ignore") for rule in rules)
        return known[1]


def _order(rule: Rule) -> tuple[int, bool, int]:
    """The rule's place among those that are asked: a container's line may end a leaf's scope, too."""
    return _ROLE_ORDER[rule.role], rule.scope not in CONTAINERS and rule.role in ("open", "close"), rule.effective_rank


def _must_be_seen(rule: Rule) -> bool:
    """Whether a green log's lines must be searched for this rule; the others matter only near a failure."""
    return bool(
        rule.role in ("cause", "list", "rollup", "retry", "post")
        or (rule.role == "open" and (rule.outcome == "failed" or rule.scope in CONTAINERS))
        or (rule.role == "close" and rule.scope in ("run", "step"))
        or rule.announces
        or (rule.role == "green" and rule.retracts)
    )


def _collect(text: str, index: _Index) -> Iterator[int]:
    for fragment, literals in index.items():
        if fragment in text:
            for literal, at in literals:
                if literal in text:
                    yield at


def parse_rules(text: str) -> RuleFile:
    """The rules and frames of one YAML file.

    Raises:
        pydantic.ValidationError: a rule has unknown or missing fields, or groups that are no fields.
        yaml.YAMLError: the text is not YAML.
        re.error: a regular expression does not compile.
    """
    return RuleFile.model_validate(yaml.load(text, Loader=_loader()))  # noqa: S506 - a SafeLoader, in C where built


class RuleFileError(ValueError):
    """A rule file does not read as rules; `name` is the file, `reason` what is wrong with it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


def read_rules(folder: Traversable | Path) -> Iterator[RuleFile | RuleFileError]:
    """The rule files of a folder in order of their names; what does not read comes as the error that says why."""
    for entry in sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda one: one.name
    ):
        try:
            yield parse_rules(entry.read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError, re.error) as error:
            yield RuleFileError(entry.name, " ".join(str(error).split()))


def merge_rules(rules: Iterable[Rule], further: Iterable[Rule]) -> list[Rule]:
    """Two sets of rules as one.

    Args:
        rules: The rules to begin with.
        further: Rules to add; one with the id of another stands in its place.
    """
    return list({rule.id: rule for rule in [*rules, *further]}.values())


@cache
def own_rules() -> tuple[Rule, ...]:
    """The rules this package carries, read from its data once.

    Raises:
        RuleFileError: one of its own files does not read; without it a tool would be silently unknown.
    """
    found: list[Rule] = []
    for file in read_rules(resources.files("build_analysis") / "rules"):
        if isinstance(file, RuleFileError):
            raise file
        found += file.all_rules()
    return tuple(found)


@cache
def default_rules() -> RuleSet:
    """The rules in force: the package's own, and those in the folder that BUILD_DASHBOARD_RULES names.

    A file there that does not read is logged and passed over: a mistake in it costs its rules, not the analysis.
    """
    return RuleSet(merge_rules(own_rules(), _further_rules(os.environ.get(FURTHER_RULES))))


def _further_rules(folder: str | None) -> Iterator[Rule]:
    if not folder:
        return
    if not Path(folder).is_dir():
        log.error("%s is no folder path=%s", FURTHER_RULES, folder)
        return
    for file in read_rules(Path(folder)):
        if isinstance(file, RuleFileError):
            log.error("rule file passed over file=%s reason=%s", file.name, file.reason)
        else:
            yield from file.all_rules()


def _loader() -> type[yaml.SafeLoader]:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
