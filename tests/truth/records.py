"""What tools themselves record of what they did, read without the product's code."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path


def ninja_steps(log: Path) -> dict[tuple[int, int, str], set[str]]:
    """What each step made, by when it ran (milliseconds) and its command."""
    steps: dict[tuple[int, int, str], set[str]] = {}
    for line in log.read_text().splitlines()[1:]:
        start, end, _, output, command = line.split("\t")
        steps.setdefault((int(start), int(end), command), set()).add(output)
    return steps


def junit_outcomes(report: Path) -> dict[str, str]:
    """Passed, failed or skipped, by the words of a test's name."""
    outcomes = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        if case.get("result") == "suppressed":
            continue
        bad = case.find("failure") is not None or case.find("error") is not None
        left_out = case.find("skipped") is not None or case.get("status") == "disabled"
        suite, name = case.get("classname") or "", case.get("name") or ""
        whole = name if suite in ("", name) or f"{suite}:" in name else f"{suite}.{name}"
        outcomes[words(whole)] = "failed" if bad else "skipped" if left_out else "passed"
    return outcomes


def words(name: str) -> str:
    """A test's name as logs and reports agree on it: `a.py::b` is `a.b`, and lit's suite is not there twice."""
    parts = [part for part in re.split(r"\W+", name.replace(".py::", ".")) if part]
    return ".".join(parts[1:] if parts[:1] == parts[1:2] else parts)
