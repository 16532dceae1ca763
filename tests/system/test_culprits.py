"""Whose is it: the commits between the last green build and the first red one reach the incident."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from build_testkit.repository import Repository
from build_testkit.stack import Stack, wait_until

pytestmark = pytest.mark.slow

PROJECT = "culprits"
FAILING = "echo 'src/a.cpp:3:1: error: use of undeclared identifier x'; exit 1"
SECONDS = 30


def commit(path: Path, author: str) -> str:
    return Repository(path, author).commit(f"A change of {author}")


def build(stack: Stack, tree: Path, script: str) -> None:
    command = stack.agent_command(PROJECT, "sh", "-c", script, options=("--config-name", "release", "--origin", "ci"))
    subprocess.run(command, cwd=tree, env=stack.agent_environment, stdout=subprocess.DEVNULL, timeout=60, check=False)


def builds(stack: Stack, status: str, count: int) -> None:
    def look() -> bool:
        return len(stack.get(f"/api/builds?project={PROJECT}&status={status}", token)["items"]) == count

    token = stack.token()
    wait_until(look, SECONDS, f"{count} builds {status}", every=0.1)


def test_incident_names_exactly_the_commits_since_green(embedded: Stack, tmp_path: Path) -> None:
    """Two green builds, three commits, a red one: the incident suspects these three and their authors, nobody else."""
    Repository(tmp_path).create()
    for number, author in enumerate(("Grace", "Edsger"), 1):
        commit(tmp_path, author)
        build(embedded, tmp_path, "true")
        builds(embedded, "succeeded", number)
    suspects = [commit(tmp_path, author) for author in ("Barbara", "Donald", "Barbara")]
    build(embedded, tmp_path, FAILING)

    def look() -> list[dict[str, Any]]:
        return list(embedded.get(f"/api/incidents?project={PROJECT}", token)["items"])

    token = embedded.token()
    (incident,) = wait_until(look, SECONDS, "an incident", every=0.1)
    assert suspects == [suspect["sha"] for suspect in incident["suspects"]][::-1]
    assert {"Barbara", "Donald"} == set(incident["authors"])
