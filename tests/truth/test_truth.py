"""Real builds: what the page says of each, compared with what the tools themselves recorded.

    FULL=1 pytest tests/truth

Without FULL=1 a fast selection. Builds whose tools a machine lacks are skipped.
"""

import os
import pty
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from build_testkit.stack import Stack, wait_until

sys.path.insert(0, str(Path(__file__).parents[1]))

from truth.records import junit_outcomes, ninja_steps, words

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
BUILDS: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "builds.yaml").read_text())
IS_FULL = os.environ.get("FULL", "") not in ("", "0")
SECONDS = 60
BUILD_SECONDS = 600
OUTCOMES = {"xfailed": "skipped", "timed_out": "failed", "crashed": "failed", "xpassed": "failed"}
"""In reports' words."""


@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize("name", [name for name, build in BUILDS.items() if IS_FULL or build.get("fast")])
def test_the_page_agrees_with_the_tools_own_records(embedded: Stack, tmp_path: Path, name: str) -> None:
    """Result, times, phases, steps, progress and tests."""
    build = BUILDS[name]
    if lacking := [need for need in build.get("needs", ()) if not (shutil.which(need) or Path(need).exists())]:
        pytest.skip(f"not on this machine: {', '.join(lacking)}")
    tree = tmp_path / "project"
    shutil.copytree(_project(build["project"]), tree)

    page, wall_ms = run(embedded, tree, name, build)

    is_red = build.get("red", False)
    assert ("failed" if is_red else "succeeded") == page["status"]
    assert page["endedAt"] - page["startedAt"] == page["durationMs"] <= wall_ms
    assert build["phases"] == list(dict.fromkeys(phase["phase"] for phase in page["phases"]))
    assert [] == [fact for fact in page["missingFacts"] if fact["name"] == "tests"]
    if not is_red:
        assert page["progress"] == 100
    check_steps(page, build, tree)
    expected = build.get("tests") or (junit_outcomes(tree / build["report"]) if "report" in build else {})
    if expected:
        assert expected | build.get("beside", {}) == results_of(embedded, page["id"])
        failed, passed, skipped = (list(expected.values()).count(each) for each in ("failed", "passed", "skipped"))
        metrics = page["metrics"]
        assert failed == metrics["testsFailed"]
        assert passed + skipped == metrics["testsPassed"] + metrics["testsSkipped"]


def check_steps(page: dict[str, Any], build: dict[str, Any], tree: Path) -> None:
    """Compare steps with ninja's log, and how long they took; without one with their number, if that is known."""
    steps = ninja_steps(tree / build["log"]) if "log" in build else {}
    total = len(steps) or build.get("steps")
    metrics = page["metrics"]
    assert (total, total) == (metrics.get("stepsDone"), metrics.get("stepsTotal"))
    if steps:
        took = {output: end - start for (start, end, _), outputs in steps.items() for output in outputs}
        assert page["stepTimes"]["count"] == total
        assert all(took[step["output"]] == step["durationMs"] for step in page["stepTimes"]["slowest"])
        assert max(end for _, end, _ in steps) <= page["durationMs"]


def results_of(stack: Stack, build_id: str) -> dict[str, str]:
    """What the page says of each test."""
    items = stack.get(f"/api/builds/{build_id}/tests?count=500", stack.token())["items"]
    found = {words(item["name"]): OUTCOMES.get(item["outcome"], item["outcome"]) for item in items}
    assert len(found) == len(items), "a test is there twice"
    return found


def run(stack: Stack, tree: Path, name: str, build: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Run one through an agent; its page once it is stored whole, and how long the agent took in milliseconds."""
    project = "truth-" + "".join(one if one.isalnum() else "-" for one in name.lower())
    command = stack.agent_command(project, "sh", "-c", build["script"], options=("--origin", "ci", "--quiet"))
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = stack.agent_environment | {"PATH": tools} | build.get("environment", {})
    begun = time.monotonic()
    code = _call(command, tree, environment, is_on_terminal=build.get("terminal", False))
    wall_ms = round(1000 * (time.monotonic() - begun))
    assert bool(code) == build.get("red", False)
    token = stack.token()

    def look() -> dict[str, Any] | None:
        items = stack.get(f"/api/builds?project={project}", token)["items"]
        # What its log says of tests is read when it is complete.
        is_read = items and items[0]["verified"] and ("testsPassed" in items[0]["metrics"] or not _has_tests(build))
        return stack.get(f"/api/builds/{items[0]['id']}", token) if is_read else None

    page: dict[str, Any] = wait_until(look, SECONDS, f"the build {name}", every=0.1)
    return page, wall_ms


def test_a_status_of_several_lines_is_in_the_log_once(embedded: Stack, tmp_path: Path) -> None:
    """What was printed for good, and the last status, as the terminal showed it."""
    script = f"{sys.executable} {HERE / 'projects' / 'status.py'}"
    page, _ = run(embedded, tmp_path, "status", {"script": script, "terminal": True})

    lines = embedded.get(f"/api/builds/{page['id']}/logs?first=1&count=100", embedded.token())["lines"]

    last = ["[7 / 7] actions running", "    Compiling a7.cc", "    Compiling b7.cc", "INFO: Build completed"]
    assert ["Loading", "ERROR: kept for good", *last] == lines


def _has_tests(build: dict[str, Any]) -> bool:
    return "report" in build or "tests" in build


def _project(name: str) -> Path:
    own = HERE / "projects" / name
    return own if own.exists() else HERE.parents[1] / "examples" / name


def _call(command: list[str], tree: Path, environment: dict[str, str], *, is_on_terminal: bool) -> int:
    if not is_on_terminal:
        return subprocess.run(
            command,
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=BUILD_SECONDS,
            check=False,
        ).returncode
    master, slave = pty.openpty()
    process = subprocess.Popen(command, cwd=tree, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    reader = threading.Thread(target=_read_all, args=(master,))
    reader.start()
    code = process.wait(BUILD_SECONDS)
    reader.join()
    os.close(master)
    return code


def _read_all(fd: int) -> None:
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        return  # on Linux the end of a terminal is an error
