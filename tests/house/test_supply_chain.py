"""What is shipped is what was locked, by hash, and an audit without data is a failed one."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # tools are run from the root, and installed nowhere

from tools import audit  # noqa: E402  (as above)
from tools.audit import CLEAN, UNREAD, WEAK, Finding, read_npm, read_pip  # noqa: E402  (as above)

PIN = re.compile(r"^([A-Za-z0-9_.-]+==[^\s;\\]+)", re.MULTILINE)


def test_every_requirement_is_locked_by_hash() -> None:
    """`requirements.lock` has pins of `requirements.txt` and uv.lock, each with the hashes of its files."""
    pins = PIN.findall((ROOT / "requirements.txt").read_text())
    locked = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip())
    known = dict(re.findall(r'\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"', (ROOT / "uv.lock").read_text()))

    assert {PIN.match(entry)[1] for entry in locked} < set(pins)  # type: ignore[index]  # each begins with one
    assert [entry for entry in locked if "--hash=sha256:" not in entry] == []
    assert [pin for pin in pins if known[pin.partition("==")[0]] != pin.partition("==")[2]] == []


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, CLEAN),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}]}, WEAK),
        ({"dependencies": [{"name": "a", "skip_reason": "not found"}]}, UNREAD),
        ({"dependencies": []}, UNREAD),
        ([], UNREAD),
    ],
)
def test_what_pip_audit_found_decides(report: object, code: int) -> None:
    """Nothing found is clean only where everything was looked up."""
    assert code == read_pip(json.dumps(report)).code


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"vulnerabilities": {}, "metadata": {"dependencies": {"total": 9}}}, CLEAN),
        ({"vulnerabilities": {"a": {"severity": "low"}}, "metadata": {"dependencies": {"total": 9}}}, WEAK),
        ({"vulnerabilities": {}, "metadata": {"dependencies": {"total": 0}}}, UNREAD),
        ({"message": "405 Method Not Allowed", "error": {}}, UNREAD),
    ],
)
def test_what_npm_audit_found_decides(report: object, code: int) -> None:
    """An error instead of a report is no clean report."""
    assert code == read_npm(json.dumps(report)).code


@pytest.mark.parametrize(
    "script",
    ["exit 3", "echo '<html>'", """echo '{"vulnerabilities":{},"metadata":{"dependencies":{"total":1}}}'; exit 1"""],
)
def test_an_audit_that_cannot_look_fails_loudly(monkeypatch, capsys, script: str) -> None:
    """No output, another's output, and a good report of a program that failed: each is reported on stderr."""
    monkeypatch.setattr(audit, "AUDITORS", {"npm": (["sh", "-c", script], read_npm)})

    assert UNREAD == audit.main()
    assert "npm: NOT AUDITED: " in capsys.readouterr().err


def test_an_auditor_that_is_missing_fails_loudly(monkeypatch, capsys) -> None:
    """As on a machine without npm."""
    monkeypatch.setattr(audit, "AUDITORS", {"npm": (["/no/such/npm"], lambda _: Finding(checked=1))})

    assert UNREAD == audit.main()
    assert "NOT AUDITED" in capsys.readouterr().err


def test_weaknesses_are_listed(monkeypatch, capsys) -> None:
    """Each is named."""
    report = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}]}
    command = [sys.executable, "-c", f"print({json.dumps(report)!r}); exit(1)"]
    monkeypatch.setattr(audit, "AUDITORS", {"Python": (command, read_pip)})

    assert WEAK == audit.main()
    assert "a 1: PYSEC-1" in capsys.readouterr().out
