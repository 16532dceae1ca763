"""The SDK: builds driven from Python, and functions called when something happens to a build."""

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from build_dashboard import BuildAgent

pytestmark = pytest.mark.slow

KEY = "bmk_test_key_of_the_tests"


@pytest.fixture
def sdk(gateway, spool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with BuildAgent(project_name="p", api_key=KEY, ws_endpoint=gateway.url, spool=spool) as agent:
        yield agent


def updates(gateway, name):
    return [u["data"][name] for u in gateway.of(gateway.only_build(), "BUILD_UPDATE") if name in u["data"]]


def complete(gateway):
    return gateway.of(gateway.only_build(), "BUILD_COMPLETE")[0]["data"]


def test_program_reports_its_own_build(sdk, gateway, spool) -> None:
    """Phases, lines, numbers and progress arrive in the order in which they were reported, and nothing stays behind."""
    with sdk.build(command="python setup.py build", config="wheel", origin="ci") as build:
        build.phase("configure")
        build.log("-- The C compiler")
        build.metric("tests_passed", 12.0)
        build.metric("x", 1)
        build.progress(10, step="first")
        build.log("warned\nagain", stream="err")

    start = gateway.of(gateway.only_build(), "BUILD_START")[0]["data"]
    assert ["python", "setup.py", "build"] == start["command"]
    assert ("wheel", "ci") == (start["config"], start["origin"])
    assert ["configure"] == updates(gateway, "phase")
    assert [{"testsPassed": 12}, {"x": 1}] == updates(gateway, "metrics")
    assert [10] == updates(gateway, "progress")
    assert ["-- The C compiler", "warned", "again"] == gateway.log(gateway.only_build())
    assert ("succeeded", 0) == (complete(gateway)["status"], complete(gateway)["exitCode"])
    assert 3 == complete(gateway)["totals"]["lines"]
    assert [] == [path.name for path in spool.iterdir() if path.is_dir()]


def test_exception_fails_the_build_and_goes_on(sdk, gateway) -> None:
    """What is raised inside makes the build failed, stands in its log, and is raised again."""

    def drive() -> None:
        with sdk.build() as build:
            build.log("before")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        drive()

    assert ("failed", "ZeroDivisionError: division by zero") == (
        complete(gateway)["status"],
        complete(gateway)["error"],
    )
    log = gateway.log(gateway.only_build())
    assert "before" == log[0]
    assert "ZeroDivisionError: division by zero" == log[-1]


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [(SystemExit(3), "failed", 3), (SystemExit(0), "succeeded", 0), (KeyboardInterrupt(), "cancelled", 1)],
)
def test_ends_that_are_no_errors_are_reported_as_what_they_are(sdk, gateway, raised, status, code) -> None:
    """sys.exit gives its code, Ctrl-C cancels."""
    with pytest.raises(type(raised)), sdk.build():
        raise raised

    assert (status, code) == (complete(gateway)["status"], complete(gateway)["exitCode"])


def test_what_cannot_be_reported_is_an_error_of_the_program(sdk, gateway) -> None:
    """A phase that does not exist, a number that is none: named at once, and the build goes on."""
    with sdk.build() as build:
        with pytest.raises(ValueError, match="configure, build, link, test"):
            build.phase("lunch")
        with pytest.raises(ValueError, match="finite"):
            build.metric("x", float("nan"))
        with pytest.raises(ValueError, match="0 to 100"):
            build.progress(101)

    assert "succeeded" == complete(gateway)["status"]


def test_functions_are_called_and_cannot_break_the_build(sdk, gateway) -> None:
    """Plain and async functions for every occasion; what they raise is logged and the build succeeds."""
    seen: list[Any] = []

    @sdk.on_build_start
    async def started(build_id):
        await asyncio.sleep(0)
        seen.append("start")

    @sdk.on_build_log
    def logged(build_id, lines):
        seen.append(list(lines))
        raise RuntimeError("a handler's fault")

    @sdk.on_build_progress
    def progressed(build_id, percent):
        seen.append(percent)

    @sdk.on_build_complete
    async def completed(build_id, status):
        seen.append((build_id, status))

    result = sdk.run([sys.executable, "-c", "print('[1/2] CXX a.o')"], origin="ci")

    assert ["start", ["[1/2] CXX a.o"], 50.0, (result.build_id, "succeeded")] == seen
    assert "succeeded" == complete(gateway)["status"]


def test_cancel_reaches_a_program_that_drives_its_build(sdk, gateway, wait_until) -> None:
    """The function is called, `is_cancelled` turns true, and a build that ends then is cancelled."""
    called = threading.Event()
    sdk.on_build_cancel(lambda build_id: called.set())
    with sdk.build() as build:
        build.phase("build")
        wait_until(lambda: gateway.records and updates(gateway, "phase"))
        gateway.send({"type": "COMMAND", "commandId": "c1", "kind": "cancel", "buildId": build.build_id})
        wait_until(lambda: build.is_cancelled)

    assert called.wait(5)
    assert ("cancelled", "cancelled_by_user") == (complete(gateway)["status"], complete(gateway)["reason"])


def test_killed_program_leaves_a_failed_build(agent, gateway, tmp_path, wait_until) -> None:
    """kill -9 of the program that drives a build: the next agent ends it, with all that was reported."""
    script = "\n".join(
        (
            "import os, time",
            "from build_dashboard import BuildAgent",
            "with BuildAgent('p').build() as build:",
            "    build.log('printed')",
            "    time.sleep(60)",
        )
    )
    process = subprocess.Popen([sys.executable, "-c", script], env=agent.environment, cwd=tmp_path)
    wait_until(lambda: gateway.records and gateway.log(gateway.only_build()) == ["printed"])
    process.kill()
    process.wait()
    agent.run("run", "--resume")

    assert ("failed", "holder_lost") == (complete(gateway)["status"], complete(gateway)["reason"])
    assert [] == agent.left()


SEED = """
from build_dashboard import BuildAgent

agent = BuildAgent(
    project_name="torch-mlir",
    api_key="{key}",
    ws_endpoint="{url}"
)

@agent.on_build_start
def handle_build_start(build_id):
    print(f"Build {{build_id}} started")

@agent.on_build_complete
def handle_build_complete(build_id, status):
    print(f"Build {{build_id}} completed with status: {{status}}")

agent.start()
"""

CONFIG = """projects:
  torch-mlir:
    repo_url: {repository}
    build_command: echo built
    build_dir: ./torch-mlir-build
    websocket:
      reconnect_attempts: 5
      reconnect_interval: 1000
"""


def test_seeds_example_runs_unchanged(agent, gateway, tmp_path, wait_until) -> None:
    """The founding document's program, with only host and key changed, builds what its config.yaml says."""
    repository = tmp_path / "repository"
    identity = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com")
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    commit = ["git", "-C", str(repository), *identity, "commit", "--quiet", "--allow-empty", "--message", "First"]
    subprocess.run(commit, check=True)
    (tmp_path / "config.yaml").write_text(CONFIG.format(repository=repository))
    (tmp_path / "agent.py").write_text(SEED.format(key=KEY, url=gateway.url))
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen([sys.executable, "agent.py"], cwd=tmp_path, stdout=out, env=agent.environment)
        try:
            wait_until(lambda: b"completed" in (tmp_path / "out").read_bytes(), 30)
        finally:
            process.terminate()
            process.wait(20)

    build_id = gateway.only_build()
    expected = [f"Build {build_id} started", f"Build {build_id} completed with status: succeeded"]
    assert expected == [line for line in (tmp_path / "out").read_text().splitlines() if line.startswith("Build")]
    assert ["built"] == gateway.log(build_id)
