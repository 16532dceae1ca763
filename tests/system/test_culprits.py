"""Whose is it: the commits between the last green build and the first red one reach the incident."""

import subprocess
from pathlib import Path
from typing import Any

from chassis.testing.stack import Stack, wait_until

PROJECT = "culprits"
FAILING = "echo 'src/a.cpp:3:1: error: use of undeclared identifier x'; exit 1"
SECONDS = 30


def git(tree: Path, *arguments: str, author: str = "Ada Byte") -> str:
    identity = ("-c", f"user.name={author}", "-c", "user.email=dev@example.com")
    command = ["git", "-C", str(tree), *identity, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def commit(tree: Path, author: str) -> str:
    git(tree, "commit", "--quiet", "--allow-empty", "--message", f"A change of {author}", author=author)
    return git(tree, "rev-parse", "HEAD")


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
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
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
