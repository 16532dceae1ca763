"""What tools print, each in its own form, alone and behind what CI systems and terminals add."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure

FORMATS: list[tuple[str, int, str]] = [
    (category, line, log)
    for category, line, log in yaml.safe_load(Path(__file__).with_name("formats.yaml").read_text("utf-8"))
]

DRESSES: dict[str, Callable[[str], str]] = {
    "github": lambda line: f"2031-01-02T03:04:05.1234567Z {line}",
    "gh run view": lambda line: f"build\tRun tests\t2031-01-02T03:04:05.1234567Z {line}",
    "gitlab": lambda line: f"2031-01-02T03:04:05.123456Z 01O {line}",
    "jenkins": lambda line: f"[2031-01-02T03:04:05.123Z] {line}",
    "timestamper": lambda line: f"03:04:05  {line}",
    "seconds": lambda line: f"03:04:05 {line}",
    "buildkite": lambda line: f"\x1b_bk;t=1700000000000\x07{line}",
    "buildx": lambda line: f"#12 3.456 {line}",
    "bitbake": lambda line: f"| {line}",
    "nix": lambda line: f"llvm-mlir> {line}",
    "nix, last lines": lambda line: f"       > {line}".rstrip(),
    "compose": lambda line: f"builder_1  | {line}",
    "driver": lambda line: f"[build] {line}",
    "colours": lambda line: f"\x1b[0;1;31m{line}\x1b[0m",
    "carriage return": lambda line: f"{line}\r",
}


def first_of(lines: list[str]) -> Failure | None:
    analyzer = LogAnalyzer()
    analyzer.feed(1, lines)
    return analyzer.finish().first()


@pytest.mark.parametrize(("category", "line", "log"), FORMATS, ids=[log[:50] for _, _, log in FORMATS])
def test_a_form_is_known(category: str, line: int, log: str) -> None:
    """Category and line of the cause are found in what the tool prints."""
    first = first_of(log.split("\n"))

    assert first is not None
    assert (category, line) == (first.category, first.first_line)


@pytest.mark.parametrize("dress", DRESSES)
def test_a_form_is_known_behind_prefixes(dress: str) -> None:
    """Stamps, colours and drivers' prefixes change neither the answer nor the signature."""
    for _, _, log in FORMATS:
        plain, dressed = first_of(log.split("\n")), first_of([DRESSES[dress](line) for line in log.split("\n")])

        assert plain is not None
        assert dressed is not None, log
        assert (plain.first_line, plain.signature_parts) == (dressed.first_line, dressed.signature_parts), log
