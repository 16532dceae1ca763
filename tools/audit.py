"""Asks for known weaknesses of all that is shipped: `python -m tools.audit` (`make audit`).

Ends with 0 where there are none, 1 where there are some, and 2 where they could not be looked up: an audit without
data is none, and must not read as a good one.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CLEAN, WEAK, UNREAD = 0, 1, 2
LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Finding:
    """What one auditor found: `weaknesses` reads one a line; `problem` says why it could not look, if so."""

    checked: int = 0
    weaknesses: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def code(self) -> int:
        """How the whole audit ends if this is the worst of it."""
        return UNREAD if self.problem else WEAK if self.weaknesses else CLEAN


def read_pip(output: str) -> Finding:
    """What is in pip-audit's JSON; a package that it skipped was not looked up."""
    report = _document(output)
    if report is None or not report.get("dependencies"):
        return Finding(problem="pip-audit gave no report")
    packages = report["dependencies"]
    if skipped := [f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one]:
        return Finding(problem=f"{len(skipped)} of {len(packages)} packages were not looked up; {skipped[0]}")
    weak = (f"{one['name']} {one['version']}: {found['id']}" for one in packages for found in one.get("vulns", ()))
    return Finding(len(packages), tuple(weak))


def read_npm(output: str) -> Finding:
    """What is in npm audit's JSON; an error instead of a report is one."""
    report = _document(output)
    if report is None or "vulnerabilities" not in report or "metadata" not in report:
        return Finding(problem=str((report or {}).get("message") or "npm audit gave no report"))
    checked = int(report["metadata"].get("dependencies", {}).get("total", 0))
    if not checked:
        return Finding(problem="npm audit looked nothing up")
    weak = (f"{name}: {one['severity']}" for name, one in sorted(report["vulnerabilities"].items()))
    return Finding(checked, tuple(weak))


AUDITORS: dict[str, tuple[list[str], Callable[[str], Finding]]] = {
    "Python": (
        [
            *("uvx", "--quiet", "--from", "pip-audit>=2.9", "pip-audit", "--requirement", "requirements.lock"),
            *("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"),
        ],
        read_pip,
    ),
    "npm": (["npm", "audit", "--omit", "dev", "--json"], read_npm),
}


def main() -> int:
    """Ask all, and print what they found."""
    code = CLEAN
    for name, finding in _findings():
        code = max(code, finding.code)
        if finding.problem:
            print(f"{name}: NOT AUDITED: {finding.problem}", file=sys.stderr)
            continue
        print(f"{name}: {finding.checked} packages, {len(finding.weaknesses)} known weaknesses")
        for weakness in finding.weaknesses:
            print(f"  {weakness}")
    return code


def _findings() -> Iterator[tuple[str, Finding]]:
    for name, (command, read) in AUDITORS.items():
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            yield name, Finding(problem=str(error))
            continue
        finding = read(done.stdout)
        if (finding.code == CLEAN and done.returncode != 0) or not done.stdout.strip():
            words = (done.stderr.strip() or "no word of why").splitlines()
            finding = Finding(problem=f"it ended with {done.returncode}: {words[-1]}")
        yield name, finding


def _document(output: str) -> dict[str, Any] | None:
    try:
        document = json.loads(output)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


if __name__ == "__main__":
    sys.exit(main())
