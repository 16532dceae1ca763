"""The rules in force: loaded from YAML text, ordered, and asked about a line."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

import yaml

from build_analysis.automaton import literal_search
from build_analysis.gate import Gate
from build_analysis.prefixes import CleanLine
from build_analysis.rule import Rule, RuleFile

# A fragment, and the literals that contain it, each with the rules (and their order) that look for it.
_Index = dict[str, list[tuple[str, list[tuple[int, Rule]]]]]

_ROLE_ORDER = {"ignore": 0, "open": 1, "close": 1, "list": 1, "end": 3, "cause": 2, "rollup": 4, "green": 5}


class RuleSet:
    """Answers which rule a line matches; the first in order of role, then of rank, then as written."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: (_ROLE_ORDER[rule.role], rule.effective_rank)))
        self.lookbehind = tuple(rule for rule in self.rules if rule.lookbehind)
        self.gate = Gate(literal for rule in self.rules if _must_be_seen(rule) for literal in rule.has)
        by_literal: dict[str, list[tuple[int, Rule]]] = {}
        for order, rule in enumerate(self.rules):
            for literal in rule.has:
                by_literal.setdefault(literal, []).append((order, rule))
        # Hundreds of literals share few fragments: a line is asked for these, then only for what contains them.
        self._by_fragment: _Index = {}
        self._nearby: _Index = {}
        for literal, entries in by_literal.items():
            fragment = next((known for known in self.gate.fragments if known in literal), None)
            index = self._nearby if fragment is None else self._by_fragment
            index.setdefault(fragment or literal, []).append((literal, entries))

        self._literals = tuple(by_literal.items())
        self._literal_search = literal_search([literal for literal, _ in self._literals])

    def match(self, line: CleanLine) -> tuple[Rule, re.Match[str]] | None:
        """The first rule that answers this line."""
        candidates: dict[int, Rule] = {}
        if self._literal_search is not None:
            for at in self._literal_search(line.text):
                candidates.update(self._literals[at][1])
        else:
            _collect(candidates, line.text, self._by_fragment)
            _collect(candidates, line.text, self._nearby)
        return _first_answer(line.text, candidates)

    def match_nearby(self, line: CleanLine) -> tuple[Rule, re.Match[str]] | None:
        """The first rule that answers a line in which the gate found nothing; few rules are about such lines."""
        candidates: dict[int, Rule] = {}
        _collect(candidates, line.text, self._nearby)
        return _first_answer(line.text, candidates)


def _must_be_seen(rule: Rule) -> bool:
    """Whether a green log's lines must be searched for this rule; the others matter only near a failure."""
    return rule.role in ("cause", "list", "rollup") or (rule.role == "open" and rule.outcome == "failed")


def _collect(candidates: dict[int, Rule], text: str, index: _Index) -> None:
    for fragment, literals in index.items():
        if fragment in text:
            for literal, entries in literals:
                if literal in text:
                    candidates.update(entries)


def _first_answer(text: str, candidates: dict[int, Rule]) -> tuple[Rule, re.Match[str]] | None:
    for order in sorted(candidates):
        rule = candidates[order]
        match = rule.pattern.search(text)
        if match and not (rule.unless_pattern and rule.unless_pattern.search(text)):
            return rule, match
    return None


def parse_rules(text: str) -> RuleFile:
    """The rules of one YAML file; each rule without a tool of its own gets the file's.

    Raises:
        pydantic.ValidationError: a rule has unknown or missing fields, or groups that are no fields.
        yaml.YAMLError: the text is not YAML.
        re.error: a regular expression does not compile.
    """
    file = RuleFile.model_validate(yaml.load(text, Loader=_loader()))  # noqa: S506 - a SafeLoader, in C where built
    rules = tuple(rule if rule.tool else rule.model_copy(update={"tool": file.tool}) for rule in file.rules)
    return file.model_copy(update={"rules": rules})


@cache
def default_rules() -> RuleSet:
    """The rules this package carries, read from its data once."""
    folder = resources.files("build_analysis") / "rules"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    return RuleSet(rule for entry in files for rule in parse_rules(entry.read_text("utf-8")).rules)


def _loader() -> type[yaml.SafeLoader]:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
