"""What belongs together: scopes decide which of a log's words are failures, and of what."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from build_analysis.analyzer import LogAnalyzer

KINDS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("kinds.yaml").read_text("utf-8"))
_STEPS = re.compile(r"@steps (\d+)-(\d+)/(\d+)")


def lines_of(log: str) -> list[str]:
    lines: list[str] = []
    for line in log.rstrip("\n").split("\n"):
        if match := _STEPS.match(line):
            first, last, total = map(int, match.groups())
            lines += [f"[{i}/{total}] Building CXX object lib/B{i}.cpp.o" for i in range(first, last + 1)]
        else:
            lines.append(line)
    return lines


def failures_of(lines: list[str], chunk: int) -> list[dict[str, Any]]:
    analyzer = LogAnalyzer()
    for start in range(0, len(lines), chunk):
        analyzer.feed(start + 1, lines[start : start + chunk])
    return [failure.to_json() for failure in analyzer.finish().failures]


@pytest.mark.parametrize("kind", KINDS, ids=[kind["id"] for kind in KINDS])
@pytest.mark.parametrize("chunk", [1, 500])
def test_every_failure_is_found_and_nothing_else(kind: dict[str, Any], chunk: int) -> None:
    """All failures of the log in their order, each with its place and target, however the log arrives."""
    found = failures_of(lines_of(kind["log"]), chunk)

    assert kind["failures"] == [
        {name: failure[name] for name in expected} for failure, expected in zip(found, kind["failures"], strict=False)
    ]
    assert len(kind["failures"]) == len(found), [(one["firstLine"], one["category"], one["message"]) for one in found]
