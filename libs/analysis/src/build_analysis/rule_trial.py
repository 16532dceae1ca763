"""Rule trials: what further rules would change in the answers for logs of failed builds, before they are in force."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure
from build_analysis.rule_set import RuleSet


@dataclass(frozen=True, slots=True)
class Change:
    """A log whose first failure would be another one."""

    name: str
    before: Failure | None
    after: Failure | None


def try_rules(
    logs: Iterable[tuple[str, Iterable[list[str]]]], before: RuleSet, after: RuleSet, exit_code: int | None = 1
) -> Iterator[Change | None]:
    """Ask two sets of rules about each log; yields once a log, None where the first failure is the same.

    Args:
        logs: each log's name, and its lines in chunks of any size.
        before: the rules that are in force.
        after: the rules that might be.
        exit_code: the command's, of every log: these builds failed.
    """
    for name, chunks in logs:
        analyzers = LogAnalyzer(before), LogAnalyzer(after)
        first = 1
        for lines in chunks:
            for analyzer in analyzers:
                analyzer.feed(first, lines)
            first += len(lines)
        was, would_be = (analyzer.finish(exit_code).first() for analyzer in analyzers)
        yield None if _facts(was) == _facts(would_be) else Change(name, was, would_be)


def _facts(failure: Failure | None) -> tuple[object, ...] | None:
    """What people see of a failure, and what it is grouped by."""
    if failure is None:
        return None
    return failure.first_line, failure.category, failure.fault, failure.file, failure.line, failure.signature
