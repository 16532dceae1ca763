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


GREEN: list[str] = yaml.safe_load(Path(__file__).with_name("green.yaml").read_text("utf-8"))
WENT_WELL = [lines_of(log) for log in GREEN] + [lines_of(kind["log"]) for kind in KINDS if not kind["failures"]]
FAILED = [
    lines_of(kind["log"]) for kind in KINDS if kind["failures"] and kind["failures"][0].get("category") != "unknown"
]


@pytest.mark.parametrize("green", WENT_WELL, ids=lambda lines: lines[0][:50])
def test_a_build_that_went_well_has_no_failure(green: list[str]) -> None:
    """Probes, attempts, tests that want errors and what a script lets pass are none, in any chunks."""
    assert [] == failures_of(green, 1) == failures_of(green, 500)


@pytest.mark.parametrize(
    "green",
    # Nothing follows the end of a job.
    [lines for lines in WENT_WELL if not any("Post job cleanup." in line for line in lines)],
    ids=lambda lines: lines[0][:50],
)
def test_what_went_well_before_hides_no_failure(green: list[str]) -> None:
    """The first failure is the same after a build that went well, with its words that frighten."""
    for lines in FAILED:
        alone, after = failures_of(lines, 500)[0], failures_of([*green, *lines], 500)[0]

        assert (alone["firstLine"] + len(green), alone["category"]) == (after["firstLine"], after["category"]), lines


PREFIXES = {
    "github": "2031-01-02T03:04:05.1234567Z {}",
    "gh run view": "build\tRun tests\t2031-01-02T03:04:05.1234567Z {}",
    "jenkins": "[2031-01-02T03:04:05.123Z] {}",
    "buildx": "#12 3.456 {}",
    "nix": "llvm-mlir> {}",
    "driver": "[build] {}",
    "colours": "\x1b[0;1;31m{}\x1b[0m",
    "carriage return": "{}\r",
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_structure_is_seen_behind_prefixes(prefix: str) -> None:
    """Stamps, colours and drivers' prefixes change nothing of what belongs together."""
    for kind in KINDS:
        lines = lines_of(kind["log"])
        plain, dressed = failures_of(lines, 500), failures_of([PREFIXES[prefix].format(line) for line in lines], 500)

        assert [(one["firstLine"], one["category"]) for one in plain] == [
            (one["firstLine"], one["category"]) for one in dressed
        ], kind["id"]
