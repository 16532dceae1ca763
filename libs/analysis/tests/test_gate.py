"""The gate drops green lines and nothing else."""

from pathlib import Path

import pytest
from build_analysis import automaton
from build_analysis.gate import Gate, is_green_step
from build_analysis.prefixes import clean
from build_analysis.rule_set import RuleSet, default_rules

LOGS = Path(__file__).parent / "logs"


def all_lines() -> list[str]:
    return [line for log in sorted(LOGS.glob("*.log")) for line in log.read_text().split("\n")]


@pytest.mark.skipif(automaton.re2 is None, reason="google-re2 is not installed: there is only one search")
def test_both_searches_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """With google-re2 or without, the same lines pass."""
    fast = default_rules().gate
    monkeypatch.setattr(automaton, "re2", None)
    plain = Gate(fast.fragments)
    lines = [*all_lines(), "\x1b[31merr\x1b[0mor: split by colours", "\u2018quoted\u2019 error"]

    assert plain.hits(lines) == fast.hits(lines)


@pytest.mark.skipif(automaton.re2 is None, reason="google-re2 is not installed: there is only one search")
def test_both_searches_find_the_same_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """With google-re2 or without, a line is answered by the same rule."""
    fast = default_rules()
    monkeypatch.setattr(automaton, "re2", None)
    plain = RuleSet(fast.rules)

    for raw in all_lines():
        line = clean(raw)
        found, expected = plain.match(line), fast.match(line)
        assert (found and found[0].id) == (expected and expected[0].id)


@pytest.mark.parametrize(
    "line",
    [
        "[1/9] Building CXX object lib/ErrorHandling.cpp.o",
        "[ 12%] Linking CXX executable fail",
        "2031-01-02T03:04:05.1Z [1/9] /usr/bin/c++ -Werror=return-type -c a.cpp",
    ],
)
def test_steps_are_green_whatever_they_build(line: str) -> None:
    """A status line says what is built, not that it failed."""
    assert is_green_step(line)


@pytest.mark.parametrize("line", ["FAILED: a.o", "[  FAILED  ] A.B (3 ms)", "[1/9] Building\rerror: x", "[error] x"])
def test_other_lines_are_looked_at(line: str) -> None:
    """Anything else may tell of a failure."""
    assert not is_green_step(line)
    assert [0] == Gate().hits([line]).lines
