"""House rules: tried against what really failed before they are in force, and taught by people's remarks."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from build_testkit.stack import Stack, wait_until

pytestmark = pytest.mark.slow

SECONDS = 60
PROJECT = "house-rules"
RULE = """
rules:
  - id: house.frob
    category: lint_or_policy
    tool: frob
    has: ["frob: refused "]
    match: '^frob: refused (?P<message>.+)'
    examples: [{text: "frob: refused a widget", expect: {category: lint_or_policy}}]
"""
PRINTS = r"print('\n'.join(['reading', 'frob: refused the widget', 'all done here']), flush=True); raise SystemExit(3)"


@pytest.fixture
def build(embedded: Stack) -> str:
    """A build that failed in words that no built-in rule knows."""
    command = embedded.agent_command(PROJECT, sys.executable, "-c", PRINTS)
    subprocess.run(command, env=embedded.agent_environment, timeout=SECONDS, capture_output=True, check=False)
    token = embedded.token()
    path = f"/api/builds?project={PROJECT}&status=failed"
    return str(wait_until(lambda: embedded.get(path, token)["items"], SECONDS, "a failed build")[0]["id"])


def test_rules_are_tried_on_a_project_s_failed_builds_and_remarks_become_fixtures(
    embedded: Stack, build: str, tmp_path: Path
) -> None:
    """`rules try` names the answers that would change; `rules remarks` writes the log and the line that is right."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "house.yaml").write_text(RULE)

    tried = _command(embedded, "try", str(tmp_path / "rules"), "--project", PROJECT)

    assert build in tried
    assert "would be lint_or_policy at log line 2: the widget" in tried
    assert tried.endswith("1 rules would have changed 1 of 1 answers\n")

    body = json.dumps({"line": 3, "note": "this one"}).encode()
    headers = {"Authorization": f"Bearer {embedded.token()}", "Content-Type": "application/json"}
    url = f"{embedded.url}/api/builds/{build}/failures/feedback"
    urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=SECONDS).close()

    assert "1 fixtures" in _command(embedded, "remarks", str(tmp_path / "fixtures"), "--project", PROJECT)
    label = json.loads((tmp_path / "fixtures" / "index.jsonl").read_text())
    lines = (tmp_path / "fixtures" / f"{label['id']}.log").read_text().splitlines()
    assert lines[label["accept_lines"][0] - 1] == "all done here" == label["message"]
    assert (label["note"], label["repo"]) == ("this one", PROJECT)


def _command(stack: Stack, *arguments: str) -> str:
    environment = stack.agent_environment
    command = [sys.executable, "-m", "build_dashboard", "rules", *arguments]
    done = subprocess.run(command, env=environment, timeout=SECONDS, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
