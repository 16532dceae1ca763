"""What an agent finds in a build's directories reaches the build's page."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from build_testkit.stack import Stack, wait_until

pytestmark = pytest.mark.slow

PROJECT = "build-facts"
NINJA = """rule step
  command = touch $out
rule test
  command = cp ../report $out
build a.o: step
build b.o: step
build app: step a.o b.o
build junit.xml: test app
"""
REPORT = '<testsuite><testcase name="good" time="0.5"/><testcase name="bad"><failure/></testcase></testsuite>'
CACHE = "CMAKE_BUILD_TYPE:STRING={}\n"
SECONDS = 30


def build(stack: Stack, tree: Path, count: int) -> dict[str, Any]:
    """Build once more; the build's own page, once it is stored whole."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = stack.agent_command(PROJECT, "ninja", "-C", "build", options=("--config-name", "facts", "--origin", "ci"))
    environment = stack.agent_environment | {"PATH": tools}
    subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, timeout=60, check=True)
    token = stack.token()

    def look() -> list[dict[str, Any]] | None:
        items = stack.get(f"/api/builds?project={PROJECT}", token)["items"]
        return items if len(items) == count and all(item["verified"] for item in items) else None

    newest = wait_until(look, SECONDS, f"{count} builds", every=0.1)[0]
    detail: dict[str, Any] = stack.get(f"/api/builds/{newest['id']}", token)
    return detail


def test_page_has_what_the_directories_tell(embedded: Stack, tmp_path: Path) -> None:
    """Step times beside those before, critical path, tests of a report, changed configuration, memory and disk."""
    directory = tmp_path / "build"
    directory.mkdir()
    (directory / "build.ninja").write_text(NINJA)
    (directory / "CMakeCache.txt").write_text(CACHE.format("Release"))
    (tmp_path / "report").write_text(REPORT)
    build(embedded, tmp_path, 1)
    (directory / "a.o").unlink()
    (directory / "CMakeCache.txt").write_text(CACHE.format("Debug"))
    second = build(embedded, tmp_path, 2)

    steps = second["stepTimes"]
    assert 3 == steps["count"]
    assert ["a.o", "app", "junit.xml"] == [step["output"] for step in steps["criticalPath"]]
    assert all("previousMs" in step for step in steps["slowest"])
    changes = second["configurationChanges"]
    assert [{"name": "CMAKE_BUILD_TYPE", "before": "Release", "after": "Debug"}] == changes
    metrics = second["metrics"]
    assert sum(step["durationMs"] for step in steps["criticalPath"]) == metrics["criticalPathMs"]
    assert (1, 1) == (metrics["testsPassed"], metrics["testsFailed"])
    assert metrics["diskBytes"] > 0
    assert metrics["largestProcessRssBytes"] > 0
    tests = embedded.get(f"/api/builds/{second['id']}/tests")
    assert {"good": "passed", "bad": "failed"} == {test["name"]: test["outcome"] for test in tests["items"]}
