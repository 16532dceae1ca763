"""`build-dashboard up` while one of its files cannot be opened: seen from outside."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from build_testkit.openings import IN_USE, locked
from build_testkit.stack import Stack, answers_ok, embedded_stack, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FILES = {
    "bus": "bus: connection",
    "gateway": "store",
    "ingest": "ingest: store",
    "history": "history: store",
    "notifier": "notifier: store",
    "artifacts": "artifacts: store",
}


CHOSEN = list(FILES) if os.environ.get("FULL") else ["bus", "gateway"]
"""All of them with FULL=1: the other services open theirs as each other do."""


def readiness(stack: Stack) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{stack.url}/readyz", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def wait_locked_out(stack: Stack, file: str) -> None:
    """Until the system is alive and says what it lacks."""
    wait_until(lambda: answers_ok(f"{stack.url}/healthz"), 40, "alive", every=0.1)

    def named() -> bool:
        status, body = readiness(stack)
        hint = f"{FILES[file]}: {file}.sqlite is locked by another process; once that lets go"
        return status == 503 and body["missing"] == [FILES[file]] and body["why"][0].startswith(hint)

    wait_until(named, 30, "what is missing is named", every=0.1)


def wait_ready(stack: Stack) -> None:
    wait_until(lambda: readiness(stack)[0] == 200, 20, "ready within seconds", every=0.1)


def streams(stack: Stack) -> str:
    """Whether a build streams through and is stored whole; its id."""
    with stack.streaming("p", sys.executable, "-c", "print('through')") as agent:
        assert agent.wait(60) == 0
    (build,) = stack.get("/api/builds?project=p")["items"]
    stack.wait_for_build(build["id"], lambda found: found["status"] == "succeeded" and found["verified"], 20)
    return str(build["id"])


@pytest.mark.parametrize("file", CHOSEN)
def test_a_file_that_is_locked_at_the_start_is_waited_for(tmp_path: Path, file: str) -> None:
    """Alive and honest meanwhile; within seconds of the lock's end it works, whether the file is new or its own."""
    path = tmp_path / "data" / f"{file}.sqlite"
    with locked(path) as release, embedded_stack(tmp_path, is_awaited=False) as stack:
        process = stack.processes["embedded"]
        wait_locked_out(stack, file)
        tries = f"{file}.sqlite is locked by another process".encode()
        wait_until(lambda: process.log.read_bytes().count(tries) > 1, 60, "tried again", every=0.1)
        release()
        wait_ready(stack)
        build = streams(stack)
        process.stop()
        with locked(path, *IN_USE):
            process.start()
            wait_locked_out(stack, file)
        wait_ready(stack)

        assert stack.get(f"/api/builds/{build}")["status"] == "succeeded"


@pytest.mark.parametrize("file", CHOSEN)
def test_a_file_that_is_no_database_ends_the_start(tmp_path: Path, file: str) -> None:
    """No waiting helps: the process ends, not in success, and its last word names the file and what to do."""
    path = tmp_path / "data" / f"{file}.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"not a database\n" * 1000)
    with embedded_stack(tmp_path, is_awaited=False) as stack:
        process = stack.processes["embedded"]
        assert process.popen is not None
        assert process.popen.wait(60) not in (0, -signal.SIGKILL)

    printed = process.log.read_text()
    assert f"{path} is not a SQLite database; restore it from a backup, or move it away" in printed
    assert "Traceback" not in printed
    assert path.read_bytes() == b"not a database\n" * 1000
