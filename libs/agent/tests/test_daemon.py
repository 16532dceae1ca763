"""The daemon and the SDK on a real git repository."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from build_dashboard import BuildAgent
from build_dashboard.daemon.checkout import Checkout, CheckoutError
from build_dashboard.daemon.memory import Memory
from build_dashboard.daemon.setback import Setback
from build_dashboard.daemon.trigger import Trigger
from build_protocol.frames import UnbuildableProject

pytestmark = pytest.mark.slow

KEY = "bmk_test_key_of_the_tests"


class Repository:
    """Somebody's clone, and the bare repository of a server that every commit is pushed to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"file://{path}.git"
        path.mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", f"{path}.git")
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("one")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.path, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def commit(self, text: str) -> str:
        (self.path / "llvm").mkdir(exist_ok=True)
        (self.path / "llvm" / "word").write_text(text + "\n")
        (self.path / "word").write_text(text + "\n")
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", f"say {text}")
        self.git("push", "--quiet", "--force", self.url, "HEAD:main")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def config(tmp_path, repository) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"projects:\n  p:\n    repo_url: {repository.url}\n    build_command: |\n      cat word \\\n        word\n"
        f"    build_dir: {tmp_path}/p-build\n    poll_seconds: 1\n    websocket:\n      reconnect_interval: 50\n"
    )
    return path


def test_moved_branch_is_built_once(agent, gateway, config, repository) -> None:
    """Each new head is built once, with its facts; an old one is not built again."""
    head = repository.git("rev-parse", "HEAD")
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0
    build = gateway.only_build()
    start = gateway.of(build, "BUILD_START")[0]["data"]
    assert gateway.log(build) == ["one", "one"]
    assert (start["commit"], start["branch"], start["commitSubject"]) == (head, "main", "say one")

    assert agent.run("agent", "--config", str(config), "--once").returncode == 0
    assert len(gateway.records) == 1
    repository.commit("two")
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0
    newest = max(gateway.records)
    assert gateway.log(newest) == ["two", "two"]


def test_trigger_builds_the_commit_asked_for(agent, gateway, config, repository, wait_until) -> None:
    """A trigger builds its commit, once however often it is sent, and says which build came of it."""
    first = repository.git("rev-parse", "HEAD")
    repository.commit("two")
    process = agent.start("agent", "--config", str(config))
    try:
        wait_until(lambda: len(gateway.records) == 1 and gateway.of(gateway.only_build(), "BUILD_COMPLETE"), 20)
        order = {"type": "COMMAND", "commandId": "t1", "kind": "trigger", "project": "p", "args": {"commit": first}}
        gateway.send(order)
        gateway.send(order)
        wait_until(lambda: len(gateway.records) == 2 and gateway.of(max(gateway.records), "BUILD_COMPLETE"), 20)
        gateway.send({**order, "commandId": "t2", "args": {"command": "rm -rf /"}})
        wait_until(lambda: _acks(gateway, "rejected"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    newest = max(gateway.records)
    assert len(gateway.records) == 2
    assert gateway.log(newest) == ["one", "one"]
    assert _acks(gateway, "done")[0]["buildId"] == newest
    assert next(frame for frame in gateway.frames if frame["type"] == "HELLO")["serves"] == ["p"]


def test_killed_daemon_loses_and_repeats_no_build(agent, gateway, config, tmp_path, wait_until) -> None:
    """kill -9 in the middle of a build: it runs to its end; the next daemon delivers it and builds nothing twice."""
    gate = tmp_path / "gate"
    text = config.read_text()
    config.write_text(text.replace("cat word", f"echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; cat word"))
    process = agent.start("agent", "--config", str(config))
    wait_until(lambda: gateway.records and gateway.log(gateway.only_build()) == ["begun"], 20)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    gate.touch()
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0

    assert gateway.log(gateway.only_build()) == ["begun", "one", "one"]
    assert gateway.of(gateway.only_build(), "BUILD_COMPLETE")[0]["data"]["status"] == "succeeded"


def test_accepted_trigger_survives_a_kill(agent, gateway, config, tmp_path, wait_until) -> None:
    """An order taken while a build runs is followed by the next daemon, once, with the parameters it came with."""
    gate = tmp_path / "gate"
    owner = config.read_text().replace("cat word", f"while [ ! -e {gate} ]; do sleep 0.05; done; echo $KIND; cat word")
    config.write_text(owner + "    parameters:\n      KIND: [Release, Debug]\n")
    process = agent.start("agent", "--config", str(config))
    wait_until(lambda: gateway.records, 20)
    order = {"type": "COMMAND", "commandId": "t1", "kind": "trigger", "project": "p", "args": {"KIND": "Debug"}}
    gateway.send(order)
    wait_until(lambda: _acks(gateway, "accepted"))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    gate.touch()
    for _ in range(2):
        assert agent.run("agent", "--config", str(config), "--once").returncode == 0

    first, second = sorted(gateway.records)
    assert (gateway.log(first), gateway.log(second)) == (["", "one", "one"], ["Debug", "one", "one"])
    assert _acks(gateway, "done")[0]["buildId"] == second
    assert gateway.of(second, "BUILD_START")[0]["data"]["environment"]["KIND"] == "Debug"


def test_superseded_commits_are_skipped(  # noqa: PLR0917  (fixtures, given by name)
    agent, gateway, config, tmp_path, wait_until, repository
) -> None:
    """What came while a build ran is not built, except the newest."""
    gate = tmp_path / "gate"
    config.write_text(config.read_text().replace("cat word", f"while [ ! -e {gate} ]; do sleep 0.05; done; cat word"))
    process = agent.start("agent", "--config", str(config))
    try:
        wait_until(lambda: gateway.records, 20)
        repository.commit("two")
        repository.commit("three")
        gate.touch()
        wait_until(lambda: len(gateway.records) == 2 and gateway.of(max(gateway.records), "BUILD_COMPLETE"), 20)
    finally:
        process.terminate()
        process.communicate(timeout=20)

    assert [gateway.log(build) for build in sorted(gateway.records)] == [["one", "one"], ["three", "three"]]


def test_every_commit_is_built_where_wanted(agent, gateway, config, repository) -> None:
    """With `every_commit` those in between are built too, oldest first; rewritten history begins anew."""
    config.write_text(config.read_text() + "    every_commit: true\n")
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0
    for word in ("two", "three"):
        repository.commit(word)
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0
    repository.git("reset", "--quiet", "--hard", "HEAD~2")
    repository.commit("other")
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0

    assert [gateway.log(build)[0] for build in sorted(gateway.records)] == ["one", "two", "three", "other"]


def test_superseded_build_is_cancelled_where_wanted(agent, gateway, config, wait_until, repository) -> None:
    """With `cancel_superseded` a running build of the branch ends when it moves on, and says why."""
    slow = 'if [ "$(head -n 1 word)" = one ]; then sleep 100; fi; cat word'
    config.write_text(config.read_text().replace("cat word", slow) + "    cancel_superseded: true\n")
    process = agent.start("agent", "--config", str(config))
    try:
        wait_until(lambda: gateway.records, 20)
        repository.commit("two")
        wait_until(lambda: len(gateway.records) == 2 and gateway.of(max(gateway.records), "BUILD_COMPLETE"), 20)
    finally:
        process.terminate()
        process.communicate(timeout=20)

    ends = [gateway.of(build, "BUILD_COMPLETE")[0]["data"] for build in sorted(gateway.records)]
    assert [end["status"] for end in ends] == ["cancelled", "succeeded"]
    assert ends[0]["reason"] == "cancelled_superseded"


def test_drained_daemon_stays_so_until_resumed(  # noqa: PLR0917  (fixtures, given by name)
    agent, gateway, config, wait_until, repository, spool
) -> None:
    """A drained agent starts nothing and takes no orders, also after a restart; resumed, it builds what it missed."""
    process = agent.start("agent", "--config", str(config))
    try:
        wait_until(lambda: gateway.records and gateway.of(gateway.only_build(), "BUILD_COMPLETE"), 20)
        gateway.send({"type": "COMMAND", "commandId": "d1", "kind": "drain", "project": "p"})
        wait_until(lambda: _acks(gateway, "done"))
        gateway.send({"type": "COMMAND", "commandId": "t1", "kind": "trigger", "project": "p", "args": {}})
        wait_until(lambda: _acks(gateway, "rejected"))
    finally:
        process.terminate()
        process.communicate(timeout=20)
    repository.commit("two")
    # An order that was taken just before the drain.
    Memory(spool.parent / "projects" / "p.json").take(Trigger("t2"))
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0
    assert len(gateway.records) == 1

    before = _hellos(gateway)
    process = agent.start("agent", "--config", str(config))
    try:
        wait_until(lambda: _hellos(gateway) > before, 20)
        gateway.send({"type": "COMMAND", "commandId": "r1", "kind": "resume"})
        wait_until(lambda: len(gateway.records) == 3 and gateway.of(max(gateway.records), "BUILD_COMPLETE"), 20)
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert gateway.log(max(gateway.records)) == ["two", "two"]


def test_one_directory_is_built_in_by_one_build_at_a_time(agent, gateway, config, tmp_path) -> None:
    """Two projects that share a build_dir wait for each other."""
    alone = "mkdir busy; sleep 0.3; rmdir busy; cat word"
    text = config.read_text().replace("cat word", alone)
    config.write_text(text + text.removeprefix("projects:\n").replace("  p:\n", "  q:\n", 1))
    assert agent.run("agent", "--config", str(config), "--once").returncode == 0

    ends = [gateway.of(build, "BUILD_COMPLETE")[0]["data"]["status"] for build in gateway.records]
    assert ends == ["succeeded", "succeeded"]


def test_command_reaching_for_a_sibling_runs_below_the_checkout(repository, tmp_path) -> None:
    """Both ways to write a build command work: in the checkout, and beside its directories."""
    checkout = Checkout(str(repository.path), tmp_path / "clone")
    with checkout.reserved():
        checkout.move_to(repository.git("rev-parse", "HEAD"))

    assert checkout.working_directory("cmake . && make") == tmp_path / "clone"
    assert checkout.working_directory("cmake -G Ninja ../llvm && ninja") == tmp_path / "clone" / "build"
    assert checkout.working_directory("ls ../elsewhere") == tmp_path / "clone"


def test_a_repository_that_is_gone_is_reported_until_it_is_back(agent, gateway, config, repository, wait_until) -> None:
    """The reason comes with the heartbeat, without credentials, and goes with the first look that works."""
    away = repository.path.with_name("away.git")
    Path(f"{repository.path}.git").rename(away)
    process = agent.start("agent", "--config", str(config))

    def reported() -> list[dict[str, object]]:
        beats = [frame for frame in gateway.frames if frame["type"] == "HEARTBEAT"]
        return beats[-1].get("unbuildable", []) if beats else []

    try:
        wait_until(reported, 20)
        (first,) = reported()
        away.rename(f"{repository.path}.git")
        wait_until(lambda: gateway.records and gateway.of(gateway.only_build(), "BUILD_COMPLETE"), 20)
        wait_until(lambda: not reported())
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)

    assert first["project"] == "p"
    assert "does not appear to be a git repository" in str(first["reason"])
    assert "\n" not in str(first["reason"])
    assert b"p can be built again" in err


@pytest.mark.parametrize(
    ("poll_seconds", "waits"),
    [(60, [120, 240, 480, 960, 1800, 1800]), (1, [2, 4, 8, 16, 32, 64]), (7200, [7200] * 6)],
)
def test_each_failure_doubles_the_wait(poll_seconds, waits) -> None:
    """Up to half an hour, and never below `poll_seconds`; the first failure's time stays, the newest reason counts."""
    setback = Setback("gone", 1000)
    for wait in waits:
        assert setback.wait_seconds(poll_seconds) == wait
        assert UnbuildableProject.model_validate(setback.to_wire("p", poll_seconds)).since_at == 1000
        setback = setback.again("gone" * 1000)
    for _ in range(100_000):
        setback = setback.again("still")
    assert setback.wait_seconds(60) == 1800


def test_what_is_reported_has_no_credentials() -> None:
    """Wherever an address with a password stands in git's words."""
    words = "https://me:secret@host/x.git has no branch y\nfatal: 'ssh://me@host/x' is\n  gone; git@host:z stays"

    expected = "https://host/x.git has no branch y fatal: 'ssh://host/x' is gone; git@host:z stays"
    assert str(CheckoutError(words)) == expected


def test_a_spool_that_cannot_be_made_at_first_is_waited_for(agent, gateway, config, wait_until) -> None:
    """The daemon says so, and goes on by itself once it can."""
    agent.spool.parent.mkdir(exist_ok=True)
    agent.spool.write_text("in the way")
    daemon = agent.start("agent", "--config", str(config))
    line = daemon.stderr.readline().decode()
    assert f"cannot make the spool {agent.spool}" in line
    agent.spool.unlink()
    wait_until(lambda: gateway.records and gateway.of(gateway.only_build(), "BUILD_COMPLETE"), 20)
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=60)


def test_sdk_runs_a_command_and_calls_handlers(gateway, spool) -> None:
    """Plain and async handlers are called at start and end; one that raises affects nothing else."""
    agent = BuildAgent(project_name="p", api_key=KEY, ws_endpoint=gateway.url, spool=spool)
    calls: list[tuple[str, ...]] = []

    @agent.on_build_start
    def started(build_id: str) -> None:
        calls.append(("start", build_id))
        raise RuntimeError("a handler's own fault")

    @agent.on_build_complete
    async def completed(build_id: str, status: str) -> None:
        calls.append(("complete", build_id, status))

    with agent:
        assert agent._deliverer().wait_for_dashboard(20)
        result = agent.run([sys.executable, "-c", "print('from the sdk'); raise SystemExit(3)"])

    assert (result.status, result.exit_code) == ("failed", 3)
    assert calls == [("start", result.build_id), ("complete", result.build_id, "failed")]
    assert gateway.log(result.build_id) == ["from the sdk"]


def test_sdk_serves_its_project(gateway, spool, config) -> None:
    """`agent.start()` builds the project as config.yaml says."""
    agent = BuildAgent(project_name="p", api_key=KEY, ws_endpoint=gateway.url, spool=spool, config=config)
    statuses: list[str] = []
    agent.on_build_complete(lambda build_id, status: statuses.append(status))
    agent.start(once=True)

    assert statuses == ["succeeded"]
    assert gateway.log(gateway.only_build()) == ["one", "one"]


def _acks(gateway, state: str) -> list[dict[str, object]]:
    return [frame for frame in gateway.frames if frame["type"] == "COMMAND_ACK" and frame["state"] == state]


def _hellos(gateway) -> int:
    return sum(frame["type"] == "HELLO" for frame in gateway.frames)
