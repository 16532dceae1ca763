"""The analyser's part of the command line: `build-dashboard analyze` and `rules check`; all I/O is here."""

import codecs
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from build_analysis.analyzer import LogAnalyzer
from build_analysis.exit_code import ExitCodeReader, meaning
from build_analysis.failure import Failure, Report
from build_analysis.green_lines import GreenLines
from build_analysis.prefixes import MATCHED_CHARACTERS
from build_analysis.roots import roots
from build_analysis.rule import Rule, RuleFile
from build_analysis.rule_check import check_costs, check_rules
from build_analysis.rule_set import (
    FURTHER_RULES,
    RuleFileError,
    RuleSet,
    default_rules,
    merge_rules,
    own_rules,
    read_rules,
)
from build_analysis.rule_trial import try_rules

CHUNK_BYTES = 1 << 20
LINE_CHARACTERS = 2 * MATCHED_CHARACTERS

_GZIP = b"\x1f\x8b"
_BARE_UTF_16 = b"l\0o\0"

_COLOURS = {"red": "31;1", "dim": "2", "bold": "1", "cyan": "36"}


def analyze_files(
    paths: Sequence[Path],
    as_json: bool = False,
    out: TextIO | None = None,
    *,
    exit_code: int | None = None,
    from_ci: bool = False,
    good: Sequence[Path] = (),
) -> int:
    """Print the failures of each log.

    Args:
        paths: the logs; `-` is standard input.
        as_json: one line of JSON a file, instead of a summary for people.
        out: where to print; standard output when None.
        exit_code: the build command's; 0 means that nothing failed, None that it is not known.
        from_ci: read the exit code from what the CI system printed, where `exit_code` is None.
        good: logs of builds that went well; what they printed, too, is no cause.

    Returns:
        0 when every file could be read, whatever was found; 2 when one could not (named on standard error).
    """
    out = out or sys.stdout
    code = 0
    try:
        green = _green_lines(good)
    except (OSError, EOFError, zlib.error) as error:
        sys.stderr.write(f"cannot read {good}: {getattr(error, 'strerror', None) or error}\n")
        return 2
    for path in paths:
        try:
            report, code_found = _analyze(path, None, exit_code, from_ci=from_ci, green=green)
        except (OSError, EOFError, zlib.error) as error:
            sys.stderr.write(f"cannot read {path}: {getattr(error, 'strerror', None) or error}\n")
            code = 2
            continue
        if as_json:
            failures = [one.to_json() for one in report.failures]
            groups = [root.to_json() for root in roots(report.failures)]
            out.write(json.dumps({"file": str(path), "failures": failures, "roots": groups}) + "\n")
        else:
            colour = out.isatty() and "NO_COLOR" not in os.environ
            out.write(summary(str(path), report, colour=colour, exit_code=code_found))
    return code


def analyze(path: Path, rules: RuleSet | None = None, *, exit_code: int | None = None, from_ci: bool = False) -> Report:
    """The report of one log file, plain or gzipped, in UTF-8 or UTF-16; bytes that are neither become U+FFFD.

    Args:
        path: The log file.
        rules: The rules to find failures by; the built-in ones when None.
        exit_code: The build command's; None when it is not known.
        from_ci: Read it from what the CI system printed, where it is None.

    Returns:
        The failures found, the first real one first.

    Raises:
        OSError: the file cannot be read.
        EOFError: the gzipped file ends too early.
        zlib.error: the gzipped file is damaged.
    """
    return _analyze(path, rules, exit_code, from_ci=from_ci)[0]


def _green_lines(paths: Sequence[Path]) -> GreenLines | None:
    if not paths:
        return None
    green = GreenLines()
    for path in paths:
        for lines in _chunks(path):
            green.learn(lines)
    return green


def _analyze(
    path: Path, rules: RuleSet | None, exit_code: int | None, *, from_ci: bool, green: GreenLines | None = None
) -> tuple[Report, int | None]:
    analyzer, reader = LogAnalyzer(rules, green), ExitCodeReader()
    first = 1
    for lines in _chunks(path):
        analyzer.feed(first, lines)
        if from_ci and exit_code is None:
            reader.feed(lines)
        first += len(lines)
    code = reader.code if exit_code is None else exit_code
    return analyzer.finish(code), code


def summary(name: str, report: Report, *, colour: bool, exit_code: int | None = None) -> str:
    """What a person wants to know of a log: the first real failure, then the others, one line each.

    Args:
        name: How the log is called in the summary.
        report: What was found in it.
        colour: Whether to colour it for a terminal.
        exit_code: The command's, None when it is not known.
    """

    def paint(text: str, style: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if colour else text

    first = report.first()
    if first is None and exit_code:
        why = meaning(exit_code)
        failed = f"no failure found, though the command failed with exit code {exit_code}"
        return f"{name}: {failed}{': ' * bool(why)}{why}\n"
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
        "why": ", ".join(first.why),
    }
    rows += [f"  {paint(f'{label:10}', 'dim')}{value}" for label, value in facts.items() if value]
    groups = roots(report.failures)
    if groups[0].count > 1:
        lines = ", ".join(str(one.first_line) for one in groups[0].failures[1:11])
        rows.append(f"  {paint('as well  ', 'dim')} {groups[0].count - 1} more for the same cause: log lines {lines}")
    if others := groups[1:]:
        rows.append(f"  and {len(others) + report.dropped} more:")
        for root in others[:20]:
            times = f" ({root.count} times)" if root.count > 1 else ""
            one = root.first
            rows.append(f"    {paint(str(one.first_line), 'cyan')}: {one.category}: {one.message}{times}")
    return "\n".join(rows) + "\n"


def check_rule_files(folder: Path | None = None, out: TextIO | None = None) -> int:
    """Run every rule's examples and counter-examples, and print what does not hold.

    Args:
        folder: further rule files, which stand in the place of rules with the same id; when None, those of
            BUILD_DASHBOARD_RULES.
        out: where to print; standard output when None.

    Returns:
        0 when all hold, 1 when some do not or a file does not read.
    """
    out = out or sys.stdout
    named = os.environ.get(FURTHER_RULES)
    folder = folder or (Path(named) if named else None)
    complaints: list[str] = []
    further: list[Rule] = []
    if folder is not None and not folder.is_dir():
        complaints.append(f"{folder} is no folder")
    elif folder is not None:
        for file in read_rules(folder):
            if isinstance(file, RuleFileError):
                complaints.append(str(file))
            else:
                further += file.all_rules()
    try:
        own = own_rules()
    except RuleFileError as error:
        complaints.append(str(error))
        own = ()
    rules = RuleSet(merge_rules(own, further))
    complaints += [str(complaint) for complaint in [*check_rules(rules), *check_costs(further)]]
    for complaint in complaints:
        out.write(f"{complaint}\n")
    examples = sum(len(rule.examples) + len(rule.counter_examples) for rule in rules.rules)
    out.write(f"{len(rules.rules)} rules, {examples} examples, {len(complaints)} complaints\n")
    return 1 if complaints else 0


def try_rule_files(folder: Path, logs: Iterable[tuple[str, Iterable[list[str]]]], out: TextIO | None = None) -> int:
    """Print which logs of failed builds further rules would answer otherwise.

    Args:
        folder: the further rule files; those of BUILD_DASHBOARD_RULES are in force before and after.
        logs: each log's name, and its lines in chunks.
        out: where to print; standard output when None.

    Returns:
        0 when the rules read, whatever they change; 2 when a file does not, or there is no folder.
    """
    out = out or sys.stdout
    files = list(read_rules(folder)) if folder.is_dir() else [RuleFileError(str(folder), "is no folder")]
    faults = [file for file in files if isinstance(file, RuleFileError)]
    if faults:
        out.write("".join(f"{fault}\n" for fault in faults))
        return 2
    further = [rule for file in files if isinstance(file, RuleFile) for rule in file.all_rules()]
    before = default_rules()
    asked = changed = 0
    for change in try_rules(logs, before, RuleSet(merge_rules(before.rules, further))):
        asked += 1
        if change is not None:
            changed += 1
            out.write(f"{change.name}\n  is       {_short(change.before)}\n  would be {_short(change.after)}\n")
    out.write(f"{len(further)} rules would have changed {changed} of {asked} answers\n")
    return 0


def log_chunks(path: Path) -> Iterator[list[str]]:
    """A log file's lines in chunks, as `analyze` reads them. Raises OSError, EOFError and zlib.error."""
    return _chunks(path)


def _short(failure: Failure | None) -> str:
    if failure is None:
        return "no failure"
    place = _place(failure)
    return f"{failure.category} at log line {failure.first_line}{f', {place}' if place else ''}: {failure.message}"


def _place(failure: Failure) -> str | None:
    if failure.file is None:
        return None
    return ":".join(str(part) for part in (failure.file, failure.line, failure.col) if part is not None)


def _chunks(path: Path) -> Iterator[list[str]]:
    """The file's lines, a chunk at a time; whatever its size and theirs, about one chunk is held.

    Raises:
        OSError: the file cannot be read, or says that it is compressed and is not.
    """
    with open(0, "rb", closefd=False) if str(path) == "-" else path.open("rb") as raw:
        stream: io.BufferedReader = raw
        if stream.peek(2)[:2] == _GZIP:
            stream = io.BufferedReader(gzip.GzipFile(fileobj=raw))
        decoder = _decoder(stream)
        rest = ""
        while data := stream.read(CHUNK_BYTES):
            lines = (rest + decoder.decode(data)).split("\n")
            # Rules see no more of a line than this: a file without line ends is not held whole.
            rest = lines.pop()[:LINE_CHARACTERS]
            yield [line.removesuffix("\r") for line in lines]
        if rest := rest + decoder.decode(b"", final=True):
            yield [rest.removesuffix("\r")]


def _decoder(stream: io.BufferedReader) -> codecs.IncrementalDecoder:
    """How the stream's text is written, by its first bytes: PowerShell's `>` writes UTF-16 with a mark."""
    start = stream.peek(4)[:4]
    name = "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    if name == "utf-8-sig" and len(start) == len(_BARE_UTF_16) and start[1:2] == start[3:4] == b"\0" != start[:1]:
        name = "utf-16-le"
    return codecs.getincrementaldecoder(name)("replace")
