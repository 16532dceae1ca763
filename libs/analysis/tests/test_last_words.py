"""Last words: what speaks where only a wrapper says that something failed."""

from pathlib import Path

import pytest
import yaml
from build_analysis.analyzer import LogAnalyzer
from build_analysis.last_words import last_words

CASES = yaml.safe_load(Path(__file__).with_name("last_words.yaml").read_text("utf-8"))


def _first(log: str):
    analyzer = LogAnalyzer()
    analyzer.feed(1, log.splitlines())
    return analyzer.finish().first()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_line_that_says_why_speaks_for_a_tool_that_no_rule_knows(case) -> None:
    """Of all lines before a wrapper's word the one that says what failed is the message, whatever the tool."""
    failure = _first(case["log"])

    assert failure is not None
    lines = case["line"] if isinstance(case["line"], list) else [case["line"]]
    assert failure.first_line in lines, failure


def test_an_answer_that_was_weighed_says_why_it_was_chosen() -> None:
    """What spoke most for the line stands beside the answer."""
    failure = _first(CASES[0]["log"])

    assert failure is not None
    assert failure.why
    assert failure.to_json()["why"] == list(failure.why)


def test_a_window_of_nothing_but_green_lines_has_no_words() -> None:
    """Where a green build printed each line, and where there is none, nothing speaks."""
    lines = [(2, "Task never defined: bundle"), (1, "$ gulp")]

    assert last_words(lines) is not None
    assert last_words(lines, is_green=lambda _: True) is None
    assert last_words([]) is None


def test_the_same_lines_are_weighed_alike_whatever_their_numbers() -> None:
    """Where in a log a window stands changes nothing: only what is in it counts."""
    lines = CASES[1]["log"].splitlines()
    here, there = (last_words([(at + first, line) for at, line in enumerate(lines)][::-1]) for first in (1, 10**6))

    assert here is not None
    assert there is not None
    assert (here.number, here.text, here.why) == (there.number - 10**6 + 1, there.text, there.why)
