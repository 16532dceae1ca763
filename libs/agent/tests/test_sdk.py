"""The SDK: builds driven from Python, and functions called when something happens to a build."""

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from build_dashboard import BuildAgent
from build_dashboard.builds.driven import BuildOver

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


def test_what_is_reported_too_late_is_refused(sdk, gateway) -> None:
    """After its end nothing can be reported of a build, and the record of it stays whole."""
    with sdk.build() as build:
        build.test("suite.case", "passed", 0.5)
    for late in (lambda: build.log("x"), lambda: build.metric("x", 1), lambda: build.phase("test")):
        with pytest.raises(BuildOver, match="is over"):
            late()

    assert [[{"name": "suite.case", "outcome": "passed", "seconds": 0.5}]] == updates(gateway, "tests")
    assert "succeeded" == complete(gateway)["status"]


def test_what_names_no_build_is_refused_before_it_begins(sdk, gateway) -> None:
    """A project, branch, config or origin that no record takes."""
    wrong: list[dict[str, Any]] = [
        {"branch": "a..b"},
        {"config": ""},
        {"config": "x" * 600},
        {"config": None},
        {"origin": "laptop"},
    ]
    for options in wrong:
        with pytest.raises(ValueError, match=next(iter(options))):
            sdk.build(**options)
    with pytest.raises(ValueError, match="project"):
        BuildAgent("LLVM", KEY, gateway.url).build()

    assert {} == gateway.records


def test_threads_report_side_by_side(sdk, gateway) -> None:
    """Every line and number of every thread arrives, each in its thread's order."""
    with sdk.build() as build:

        def work(name: str) -> None:
            for n in range(50):
                build.log(f"{name} {n}")
            build.metric(name, 1)

        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = gateway.log(gateway.only_build())
    for name in ("a", "b", "c"):
        assert [f"{name} {n}" for n in range(50)] == [line for line in lines if line.startswith(name)]
    assert {"a", "b", "c"} == {key for metrics in updates(gateway, "metrics") for key in metrics}


def test_async_with_leaves_the_loop_free(sdk, gateway) -> None:
    """Neither the beginning nor the wait at the end stops other tasks, and a cancelled task's build has its end."""
    gateway.verifies = False  # so that the end waits
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    async def drive() -> None:
        async with sdk.build(linger_seconds=0.5) as build:
            build.log("printed")
            await asyncio.Event().wait()

    async def main() -> None:
        other, driven = asyncio.create_task(turn()), asyncio.create_task(drive())
        while not (gateway.records and gateway.log(gateway.only_build())):  # noqa: ASYNC110  (another thread's)
            await asyncio.sleep(0.01)
        before = turns
        driven.cancel()
        await asyncio.wait([driven])
        assert turns > before + 5
        other.cancel()

    asyncio.run(main())
    assert ("failed", ["printed"]) == (complete(gateway)["status"], gateway.log(gateway.only_build())[:1])


def test_forked_children_report_through_their_parent(sdk, gateway) -> None:
    """One sequence, each record whole; a child that leaves the block, or goes on after the end, ends nothing."""
    with sdk.build() as build:
        children = []
        for n in range(3):
            child = os.fork()
            if child == 0:
                try:
                    build.log(f"child {n} " + "x" * 3000)
                    build.metric(f"child{n}", n)
                finally:
                    os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        build.log("parent")

    log = gateway.log(gateway.only_build())
    assert {f"child {n} " + "x" * 3000 for n in range(3)} | {"parent"} == set(log)
    assert {f"child{n}": n for n in range(3)} == {k: v for m in updates(gateway, "metrics") for k, v in m.items()}
    assert 1 == len(gateway.of(gateway.only_build(), "BUILD_COMPLETE"))


NESTED = """
import asyncio, os, sys
from build_dashboard import BuildAgent
assert "BUILD_DASHBOARD_API_KEY" not in os.environ
agent = BuildAgent("inner")
agent.on_build_complete(lambda build_id, status: print("handler", status))
with agent.build() as build:
    assert build.build_id == os.environ["BUILD_DASHBOARD_BUILD_ID"]
    build.phase("test")
    build.log("from inside")
    build.metric("tests_passed", 3)
    build.test("t", "passed")
    if os.fork() == 0:
        build.metric("child", 1)
        os._exit(0)
    os.wait()
async def main():
    async with agent.build() as build:
        build.progress(40, "half")
asyncio.run(main())
assert agent.run([sys.executable, "-c", "print('a part'); raise SystemExit(4)"]).exit_code == 4
os.write(os.open(os.environ["BUILD_DASHBOARD_REPORTS"], os.O_WRONLY), b'{"commit": "0123abc"}\\ngarbage\\n')
for wrong in (lambda: build.metric("$x", 1), lambda: build.log(None), lambda: build.phase("lunch")):
    try:
        wrong()
    except (TypeError, ValueError):
        print("refused")
sys.exit(5)
"""


def test_a_program_in_a_wrapped_build_reports_through_its_holder(agent, gateway, tmp_path) -> None:
    """Without a key and a connection of its own: one build, all of it in order, its end that of the command."""
    (tmp_path / "inner.py").write_text(NESTED)
    strip = ("env", "-u", "BUILD_DASHBOARD_API_KEY", "-u", "WS_ENDPOINT")
    done = agent.build(*strip, sys.executable, "inner.py", cwd=tmp_path)

    assert done.returncode == 5, done.stderr
    assert ["test"] == [phase for phase in updates(gateway, "phase") if phase == "test"]
    metrics = {key: value for found in updates(gateway, "metrics") for key, value in found.items()}
    assert (3, 1) == (metrics["testsPassed"], metrics["child"])
    assert [[{"name": "t", "outcome": "passed", "tool": "pytest"}]] == updates(gateway, "tests")
    assert 40 in updates(gateway, "progress")
    expected = ["from inside", "handler succeeded", "handler succeeded", "a part", "handler failed", *["refused"] * 3]
    assert expected == gateway.log(gateway.only_build())
    assert [] == updates(gateway, "commit")
    assert 1 == gateway.connections


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
