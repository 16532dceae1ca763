"""Rules live up to their own examples."""

import io
import time

import pytest
from build_analysis.analyzer import LogAnalyzer
from build_analysis.cli import try_rule_files
from build_analysis.fragments import FRAGMENTS
from build_analysis.rule import Rule
from build_analysis.rule_check import check_costs, check_rule, check_rules
from build_analysis.rule_set import RuleSet, default_rules, own_rules, parse_rules


@pytest.mark.parametrize("rule", default_rules().rules, ids=lambda rule: rule.id)
def test_a_rule_answers_its_examples_and_no_counter_example(rule: Rule) -> None:
    """Each example is found with the fields it names; each counter-example stays silent."""
    assert [] == [str(complaint) for complaint in check_rule(rule, default_rules())]


@pytest.mark.parametrize(
    "rule",
    [rule for rule in default_rules().rules if rule.role == "cause" and rule.id != "lit.command_failed"],
    ids=lambda r: r.id,
)
def test_a_cause_states_an_example_and_a_counter_example(rule: Rule) -> None:
    """A rule that calls something a failure shows one, and shows what it must not answer."""
    assert rule.examples
    assert rule.counter_examples


def test_rule_names_are_unique() -> None:
    """A finding names one rule."""
    names = [rule.id for rule in default_rules().rules]

    assert len(names) == len(set(names))


def test_most_literals_share_a_fragment() -> None:
    """The gate stays small: few rules need a fragment of their own."""
    assert len(default_rules().gate.fragments) < len(set(FRAGMENTS)) + 10


BROKEN = r"""
tool: mytool
rules:
  - id: mytool.error
    category: compile_error
    has: ["mytool error"]
    match: '^mytool error: (?P<message>.*)'
    examples:
      - text: "mytool error: x"
        expect: {category: link_error}
    counter_examples: ["mytool error: y"]
"""


def test_a_rule_that_breaks_its_word_is_told() -> None:
    """A wrong expectation and an answered counter-example are both complaints."""
    complaints = check_rules(RuleSet(parse_rules(BROKEN).rules))

    assert len(complaints) == 2
    assert {"mytool.error"} == {complaint.rule for complaint in complaints}


def test_a_group_that_is_no_field_is_refused() -> None:
    """A misspelt group would be lost in silence."""
    with pytest.raises(ValueError, match="no fields: fiel"):
        parse_rules(BROKEN.replace("?P<message>", "?P<fiel>"))


SHADOWED = r"""
tool: mytool
rules:
  - id: mytool.licence
    category: toolchain_error
    has: ["error: "]
    match: '^error: (?P<message>the licence .*)'
    examples:
      - text: "error: the licence has expired"
        expect: {message: "error: the licence has expired"}
    counter_examples: ["error: x"]
    rank: 61
"""


def test_a_rule_that_another_answers_for_is_named() -> None:
    """A house rule whose examples a built-in rule answers never speaks; its author learns of it."""
    rules = RuleSet([*own_rules(), *parse_rules(SHADOWED).all_rules()])

    assert ["mytool.licence: is shadowed: rule any.error answers 'error: the licence has expired'"] == [
        str(complaint) for complaint in check_rules(rules)
    ]


@pytest.mark.parametrize(
    "match",
    [
        "^\\s*(?P<message>.*unable to parse.*|.*\\bcfg(?:\\.py)?['\"]?: (?:error|fatal).*|.*did not discover.*)",
        "^(?P<target>(?:a+:*)+\\.py)$",
        "(?P<file>[^ ]+):(?P<line>\\d+): x",
    ],
)
def test_a_pattern_whose_time_grows_faster_than_its_line_is_refused(match: str) -> None:
    """One strange line of a log must not hold up its analysis."""
    slow = Rule(id="mytool.slow", has=("a: ",), match=match)
    quick = Rule(id="mytool.quick", has=("a: ",), match="^\\s*+(?P<message>\\S{1,80}: .*)$")

    assert ["mytool.slow"] == [complaint.rule for complaint in check_costs([slow, quick])][:1]


@pytest.mark.slow
def test_no_rule_s_time_grows_faster_than_its_line() -> None:
    """The package's own rules are held to the same."""
    assert [] == [str(complaint) for complaint in check_costs(own_rules())]


@pytest.mark.slow
@pytest.mark.parametrize("pump", ["/", "a::", " ", "error: "])
def test_no_line_takes_more_than_ten_microseconds_a_byte(pump: str) -> None:
    """Whatever the strangest line of a log repeats after a rule's own words, its analysis goes on."""
    literals = sorted({literal for rule in default_rules().rules for literal in rule.has})[::12]
    slowest = max(_seconds_a_byte((literal + pump * 4_000)[:3_900]) for literal in literals)

    assert slowest < 10e-6


def _seconds_a_byte(line: str) -> float:
    least = float("inf")
    for _ in range(2):
        analyzer, before = LogAnalyzer(), time.thread_time()
        analyzer.feed(1, [line] * 3)
        analyzer.finish(1)
        least = min(least, (time.thread_time() - before) / (3 * len(line)))
    return least


def test_further_rules_are_tried_on_logs_before_they_are_in_force(tmp_path) -> None:
    """Only the logs whose first failure would be another one are named; a folder that does not read is refused."""
    (tmp_path / "house.yaml").write_text(
        "rules:\n"
        "  - {id: house.frob, category: lint_or_policy, has: ['frob: '], match: '^frob: refused (?P<message>.+)'}\n"
    )
    logs = [
        ("frob", [["reading", "frob: refused the widget"], ["all done here"]]),
        ("cc", [["a.c:1:2: error: expected ';' before 'x'"]]),
    ]
    out = io.StringIO()

    assert try_rule_files(tmp_path, logs, out) == 0
    first, *_, last = out.getvalue().splitlines()
    assert (first, last) == ("frob", "1 rules would have changed 1 of 2 answers")
    assert "would be lint_or_policy at log line 2: the widget" in out.getvalue()

    (tmp_path / "house.yaml").write_text("rules: [{}]")
    assert try_rule_files(tmp_path, logs, io.StringIO()) == 2
    assert try_rule_files(tmp_path / "none", logs, io.StringIO()) == 2
