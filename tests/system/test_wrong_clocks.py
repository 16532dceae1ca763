"""Agents on machines whose clocks are wrong: what people see of a branch is what happened, in the order it happened."""

import json
import os
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from build_testkit.stack import Process, Stack, embedded_stack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROJECT = "clocks"
DAY_SECONDS = 86_400
SECONDS = 60
RED = "echo 'lib/a.cpp:7:1: error: no member named find'; exit 1"
SITE = """
import os, time
_ahead_ns = int(float(os.environ.get("AHEAD_SECONDS", 0)) * 1e9)
_time_ns, _ahead = time.time_ns, _ahead_ns / 1e9
time.time_ns = lambda: _time_ns() + _ahead_ns
time.time = lambda: time.time_ns() / 1e9
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Python of a machine whose wall clock is off by AHEAD_SECONDS; its clock since boot is not."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    return tmp_path


def build(stack: Stack, site: Path, script: str, ahead_seconds: float = 0) -> None:
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(
        stack.agent_command(PROJECT, "sh", "-c", script, options=("--origin", "ci", "--branch", "main")),
        cwd=site,
        env=stack.agent_environment | {"AHEAD_SECONDS": str(ahead_seconds), "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )


def incident(stack: Stack, state: str) -> dict[str, Any]:
    """The project's only incident, whole, once it is in this state."""
    (found,) = wait_until(
        lambda: [one for one in stack.get(f"/api/incidents?project={PROJECT}")["items"] if one["state"] == state],
        SECONDS,
        f"the incident is {state}",
    )
    whole: dict[str, Any] = stack.get(f"/api/incidents/{found['id']}")
    return whole


def test_a_branch_is_what_happened_whatever_the_clocks_say(embedded: Stack, site: Path) -> None:
    """Green, green from +3 days, red from +2 hours, red: the break is open. A green from 1970 fixes it, in order."""
    began_at = time.time() * 1000
    for script, ahead_seconds in (("true", 0), ("true", 3 * DAY_SECONDS), (RED, 7200), (RED, 0)):
        build(embedded, site, script, ahead_seconds)

    opened = incident(embedded, "open")
    build(embedded, site, "true", ahead_seconds=100 - time.time())
    closed = incident(embedded, "closed")

    assert [noted["kind"] for noted in opened["transitions"]] == ["opened"]
    assert [noted["kind"] for noted in closed["transitions"]] == ["opened", "fixed"]
    assert all(began_at <= noted["at"] <= time.time() * 1000 for noted in closed["transitions"])
    builds = embedded.get(f"/api/builds?project={PROJECT}")["items"]
    assert [row["status"] for row in builds] == ["succeeded", "failed", "failed", "succeeded", "succeeded"]
    first = embedded.get(f"/api/builds/{builds[0]['id']}")
    assert (first["startSource"], first["clockSkewMs"] < -40 * 365 * DAY_SECONDS * 1000) == ("monotonic", True)
    assert began_at <= first["serverStartedAt"] <= first["serverEndedAt"] <= time.time() * 1000


def test_a_server_that_ran_at_400_days_ahead_forgot_nothing(tmp_path: Path, site: Path) -> None:
    """Every service stops deleting and says so where readiness is asked; with the right time it goes on by itself."""
    with embedded_stack(tmp_path, {"PYTHONPATH": str(site), "AHEAD_SECONDS": "0"}) as stack:
        build(stack, site, RED)
        server, facts = stack.processes["embedded"], f"file:{tmp_path}/data/history.sqlite?mode=ro"
        wait_until(lambda: count(facts), SECONDS, "history has the build")
        restart(server, str(400 * DAY_SECONDS))
        stopped = wait_until(lambda: stopped_of(stack, 5), SECONDS, "all five say that they stopped")
        listed, kept = len(stack.get(f"/api/builds?project={PROJECT}")["items"]), count(facts)
        restart(server, "0")
        wait_until(lambda: not stopped_of(stack, 1), SECONDS, "all go on")

    assert (listed, kept) == (1, 1)
    assert all("CLOCK_CONFIRMED_ON=" in reason and "400 days" in reason for reason in stopped)


def restart(server: Process, ahead_seconds: str) -> None:
    server.environment = dict(server.environment) | {"AHEAD_SECONDS": ahead_seconds}
    server.restart()


def count(database: str) -> int:
    with closing(sqlite3.connect(database, uri=True)) as rows:
        return int(rows.execute("select count(*) from history_facts").fetchone()[0])


def stopped_of(stack: Stack, least: int) -> list[str]:
    with urllib.request.urlopen(f"{stack.url}/readyz", timeout=SECONDS) as answer:
        stopped: list[str] = json.load(answer).get("stopped", [])
    return stopped if len(stopped) >= least else []
