"""A mirror written from docs/mirrors.md alone shows a CI that nobody has, also while that CI is away."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from build_testkit.stack import embedded_stack, wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "mirror-of-your-own" / "mirror.py"
GREEN, RED = (
    ["configured", "[1/1] linked"],
    ["a.cpp:1:2: error: expected ';' after expression", "make: *** [all] Error 1"],
)


class Anvil:
    """A CI: a server, its jobs and their logs."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.logs: dict[str, tuple[list[str], bool]] = {}
        self.stages: dict[int, list[dict[str, Any]]] = {}
        self.is_away = False
        anvil = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """A request."""
                body = json.dumps(anvil.answer(self.path)).encode()
                self.send_response(503 if anvil.is_away else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its signature
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, path: str) -> Any:
        """What a path shows."""
        parts = urlsplit(path)
        wanted = parse_qs(parts.query)
        kind, *rest = parts.path.strip("/").split("/")
        if kind == "logs":
            lines, is_closed = self.logs[rest[0]]
            return {"lines": lines[int(wanted["from"][0]) :], "closed": is_closed}
        if rest:
            return self.stages[int(rest[0])]
        if "id" in wanted:
            return [job for job in self.jobs if str(job["id"]) == wanted["id"][0]]
        is_running = wanted.get("state") == ["running"]
        return [job for job in self.jobs if (job["ended"] is None) == is_running]

    def begin(self, number: int, pipeline: str) -> None:
        """A job begins."""
        self.stages[number] = [{"name": "make", "log": f"{number}", "done": False, "outcome": None}]
        self.logs[str(number)] = ([], False)
        job = {"id": number, "pipeline": pipeline, "branch": "main", "sha": "c13d7e2f9a8b", "machine": "smithy-1"}
        self.jobs.append(
            job | {"page": f"http://anvil.example/{number}", "started": time.time(), "ended": None, "outcome": None}
        )

    def end(self, number: int, lines: list[str], outcome: str) -> None:
        """It prints these lines, and ends."""
        self.logs[str(number)] = (lines, True)
        self.stages[number][0] |= {"done": True, "outcome": outcome}
        next(job for job in self.jobs if job["id"] == number).update(ended=time.time(), outcome=outcome)


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """The CI, on a port of its own."""
    anvil = Anvil()
    thread = threading.Thread(target=anvil.http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield anvil
    anvil.http.shutdown()
    thread.join()
    anvil.http.server_close()


def test_sixty_lines_show_a_ci_that_nobody_has(anvil: Anvil, tmp_path: Path) -> None:
    """A running job live, its end, a failure with its first error, and that the CI does not answer."""
    assert len(PROGRAM.read_text().splitlines()) <= 60
    anvil.begin(1, "forge-linux")
    with embedded_stack(tmp_path) as stack:
        url = f"http://127.0.0.1:{anvil.http.server_address[1]}"
        command = [sys.executable, str(PROGRAM), url, str(tmp_path / "spool")]
        mirror = subprocess.Popen(command, env=stack.agent_environment, stderr=subprocess.DEVNULL)
        try:
            token = stack.token()

            def builds() -> dict[str, dict[str, Any]]:
                rows = stack.get("/api/builds?project=forge", token)["items"]
                return {row["sourceUrl"].rpartition("/")[2]: row for row in rows}

            def source() -> dict[str, Any]:
                agents = stack.get("/api/agents", token)["items"]
                return next((each for agent in agents for each in agent["sources"]), {})

            wait_until(lambda: builds().get("1", {}).get("status") == "running", 30, "a job that runs", every=0.1)
            anvil.end(1, GREEN, "ok")
            wait_until(lambda: builds()["1"]["status"] == "succeeded", 30, "its end", every=0.1)
            anvil.is_away = True
            wait_until(lambda: "503" in (source().get("problem") or ""), 30, "the problem of a CI", every=0.1)
            anvil.is_away = False
            anvil.begin(2, "forge-linux")
            anvil.end(2, RED, "broken")
            red = wait_until(
                lambda: builds().get("2", {}).get("firstFailure") and builds()["2"], 30, "a failure", every=0.1
            )
            assert ("failed", "smithy-1", 1) == (red["status"], red["host"]["name"], red["firstFailure"]["firstLine"])
            text = stack.get_bytes(f"/api/builds/{red['id']}/logs?format=text", token).decode().splitlines()
            assert RED == text
            assert ["make"] == [section["name"] for section in stack.get(f"/api/builds/{red['id']}", token)["sections"]]
        finally:
            mirror.terminate()
            assert 0 == mirror.wait(15)
