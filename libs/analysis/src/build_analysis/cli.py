"""The analyser's part of the command line: `build-dashboard analyze` and `rules check`; all I/O is here."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure, Report
from build_analysis.rule_check import check_rules
from build_analysis.rule_set import RuleSet, default_rules, parse_rules

CHUNK_BYTES = 1 << 20

_COLOURS = {"red": "31;1", "dim": "2", "bold": "1", "cyan": "36"}


def analyze_files(paths: Sequence[Path], as_json: bool = False, out: TextIO | None = None) -> int:
    """Print the failures of each log.

    Args:
        paths: the logs; `-` is standard input.
        as_json: one line of JSON a file, instead of a summary for people.
        out: where to print; standard output when None.

    Returns:
        0 when every file could be read, whatever was found; 2 when one could not (said on standard error).
    """
    out = out or sys.stdout
    code = 0
    for path in paths:
        try:
            report = analyze(path)
        except OSError as error:
            sys.stderr.write(f"cannot read {path}: {error.strerror or error}\n")
            code = 2
            continue
        if as_json:
            out.write(json.dumps({"file": str(path), "failures": [one.to_json() for one in report.failures]}) + "\n")
        else:
            out.write(summary(str(path), report, colour=out.isatty() and "NO_COLOR" not in os.environ))
    return code


def analyze(path: Path, rules: RuleSet | None = None) -> Report:
    """The report of one log file; lines end with LF or CRLF, bytes that are not UTF-8 become U+FFFD.

    Raises:
        OSError: the file cannot be read.
    """
    analyzer = LogAnalyzer(rules)
    first = 1
    for lines in _chunks(path):
        analyzer.feed(first, lines)
        first += len(lines)
    return analyzer.finish()


def summary(name: str, report: Report, *, colour: bool) -> str:
    """What a person wants to know of a log: the first real failure, then the others, one line each."""

    def paint(text: str, style: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if colour else text

    first = report.first()
    if first is None:
        return f"{name}: no failure found\n"
    rows = [f"{paint(name, 'bold')}: {paint(first.category, 'red')} at log line {first.first_line}"]
    rows.append(f"  {paint(first.message, 'bold')}")
    facts = {
        "place": _place(first),
        "from": first.project_location,
        "target": first.target,
        "command": first.command,
        "tool": first.tool,
        "fault": first.fault,
        "signature": first.signature,
    }
    rows += [f"  {paint(f'{label:10}', 'dim')}{value}" for label, value in facts.items() if value]
    if others := report.failures[1:]:
        rows.append(f"  and {len(others) + report.dropped} more:")
        rows += [f"    {paint(str(one.first_line), 'cyan')}: {one.category}: {one.message}" for one in others[:20]]
    return "\n".join(rows) + "\n"


def check_rule_files(paths: Sequence[Path] = (), out: TextIO | None = None) -> int:
    """Run every rule's examples and counter-examples, those of further rule files too, and print what does not hold.

    Returns:
        0 when all hold, 1 when some do not.
    """
    out = out or sys.stdout
    rules = list(default_rules().rules)
    for path in paths:
        rules += parse_rules(path.read_text("utf-8")).rules
    rule_set = RuleSet(rules)
    complaints = check_rules(rule_set)
    for complaint in complaints:
        out.write(f"{complaint}\n")
    examples = sum(len(rule.examples) + len(rule.counter_examples) for rule in rule_set.rules)
    out.write(f"{len(rule_set.rules)} rules, {examples} examples, {len(complaints)} complaints\n")
    return 1 if complaints else 0


def _place(failure: Failure) -> str | None:
    if failure.file is None:
        return None
    return ":".join(str(part) for part in (failure.file, failure.line, failure.col) if part is not None)


def _chunks(path: Path) -> Iterator[list[str]]:
    """The file's lines, a chunk at a time; whatever its size, one chunk and one line are held."""
    stream = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    with stream:
        rest = b""
        while data := stream.read(CHUNK_BYTES):
            head, newline, tail = data.rpartition(b"\n")
            if not newline:
                rest += data
                continue
            yield _lines(rest + head)
            rest = tail
        if rest:
            yield _lines(rest)


def _lines(data: bytes) -> list[str]:
    return [line.removesuffix("\r") for line in data.decode("utf-8", "replace").split("\n")]
