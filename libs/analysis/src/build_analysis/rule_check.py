"""Holding rules to their word: every example must be answered as it says, every counter-example must stay silent."""

from collections.abc import Iterable
from dataclasses import dataclass

from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure
from build_analysis.prefixes import clean
from build_analysis.rule import Example, Rule
from build_analysis.rule_cost import slow_patterns
from build_analysis.rule_set import RuleSet


@dataclass(frozen=True, slots=True)
class Complaint:
    """One example that a rule does not live up to."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def check_rules(rules: RuleSet) -> list[Complaint]:
    """Run every rule's examples and counter-examples.

    Args:
        rules: All rules that are used together.

    Returns:
        What does not hold, one complaint each; empty when everything holds.
    """
    return [complaint for rule in rules.rules for complaint in check_rule(rule, rules)]


def check_rule(rule: Rule, rules: RuleSet) -> list[Complaint]:
    """Run one rule's examples and counter-examples.

    Args:
        rule: The rule to check.
        rules: The rules that it will stand with.

    Returns:
        What does not hold, one complaint each; empty when everything holds.
    """
    complaints = []
    if rule.role in ("cause", "list") and not (rule.examples or rule.role == "list") and rule.rank is None:
        complaints.append(Complaint(rule.id, "a cause needs an example"))
    for example in rule.examples:
        complaints += [Complaint(rule.id, what) for what in _broken_promises(rule, example, rules)]
    for text in rule.counter_examples:
        line = clean(text).text
        match = rule.pattern.search(line) if any(literal in line for literal in rule.has) else None
        if match and not (rule.unless_pattern and rule.unless_pattern.search(line)):
            complaints.append(Complaint(rule.id, f"answers its counter-example {text!r}"))
    return complaints


def check_costs(rules: Iterable[Rule]) -> list[Complaint]:
    """What is slow in rules: patterns whose time grows faster than the line they are asked about.

    Args:
        rules: The rules to check; each takes a few milliseconds.
    """
    return [Complaint(rule.id, what) for rule in rules for what in slow_patterns(rule)]


def _broken_promises(rule: Rule, example: Example, rules: RuleSet) -> list[str]:
    analyzer = LogAnalyzer(rules)
    analyzer.feed(1, example.text.rstrip("\n").split("\n"))
    first = analyzer.finish().first()
    if first is None:
        return [f"finds nothing in {example.text!r}"]
    found = first.to_json()
    if rule.role == "cause" and first.rule != rule.id and "rule" not in example.expect:
        return [f"is shadowed: rule {first.rule} answers {example.text!r}"]
    return [
        f"{name} is {found.get(name)!r}, not {expected!r}, in {example.text!r} (rule {_rule(first)})"
        for name, expected in example.expect.items()
        if found.get(name) != expected
    ]


def _rule(failure: Failure) -> str:
    return failure.rule
