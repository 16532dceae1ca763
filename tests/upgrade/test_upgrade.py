"""Up by a release and down again: builds stream across each step, every agent with every server, every spool delivered.

The servers and the agents are real processes, each of its own release's sources (`releases.toml`).
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from build_testkit.stack import Stack, embedded_stack, separate_stack, wait_until
from upgrade.release import TODAY, NotThere, Release, installed, pinned

SECONDS = 60
FULL = bool(os.environ.get("FULL"))
WAITING = "i=0; while [ ! -e {over} ] && [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; echo the end"

pytestmark = pytest.mark.slow


@pytest.fixture(params=list(pinned().items()), ids=list(pinned()), scope="session")
def earlier(request: pytest.FixtureRequest) -> Release:
    try:
        return installed(*request.param)
    except NotThere as error:
        pytest.skip(f"NOT CHECKED: {error}")


@contextmanager
def stack_of(driver: str, release: Release, directory: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The system with stores of this kind, first of this release."""
    if driver == "embedded":
        with embedded_stack(directory, python=release.python) as stack:
            yield stack
        return
    server, broker = (request.getfixturevalue(name) for name in (driver, "rabbitmq"))
    services = ("gateway", "ingest", "notifier", "artifacts", "history")
    urls = {service: server.database_url(f"upgrade_{service}") for service in services}
    with separate_stack(directory, broker.url, urls, python=release.python) as stack:
        yield stack


@dataclass
class Walk:
    """A running system that changes its release, and the builds that are reported to it."""

    stack: Stack
    directory: Path
    token: str = ""
    gaps: list[float] = field(default_factory=list)
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def step(self, release: Release) -> None:
        """Stop every process, and start this release's in their places; how long nothing answered is noted."""
        began = time.monotonic()
        for process in self.stack.processes.values():
            process.stop()
        left = [(agent, self.leave(agent)) for agent in self.releases]
        began, self.left_seconds = began + self.left_seconds, 0.0
        for process in self.stack.processes.values():
            process.command[0] = release.python
            process.start()
        for process in self.stack.processes.values():
            process.wait_ready()
        self.gaps.append(time.monotonic() - began)
        self.token = self.stack.token()
        self.check_streams()
        for agent, project in left:
            others = [other for other in self.releases if other is not agent]
            self.deliver(others[0], project)
        for agent in self.releases:
            self.report(agent, f"whole.{len(self.gaps)}.{agent.name}")

    def stream(self, agent: Release) -> None:
        """A build that goes on until `end`."""
        project = f"streams.{agent.name}"
        script = WAITING.format(over=self.directory / "over")
        command = self.command(agent, project, "sh", "-c", script, options=("--linger", str(SECONDS)))
        self.agents[project] = subprocess.Popen(command, env=self.stack.agent_environment, stdout=subprocess.DEVNULL)

    def check_streams(self) -> None:
        """Each build that streams goes on: what it prints now is shown."""
        for project in self.agents:
            wait_until(partial(self.is_beyond, project, self.lines(project)), SECONDS, f"{project} goes on", every=0.2)

    def end(self) -> None:
        """Let the streaming builds end; they are stored whole."""
        (self.directory / "over").touch()
        assert dict.fromkeys(self.agents, 0) == {p: agent.wait(SECONDS) for p, agent in self.agents.items()}
        for project in self.agents:
            log = self.log(project)
            assert [*(f"line {n}" for n in range(len(log) - 1)), "the end"] == log

    def report(self, agent: Release, project: str) -> None:
        """A build from its start to its end, verified."""
        command = self.command(agent, project, "seq", "300", options=("--linger", str(SECONDS)))
        subprocess.run(command, env=self.stack.agent_environment, check=True, timeout=2 * SECONDS, capture_output=True)
        assert [str(n) for n in range(1, 301)] == self.log(project)

    def leave(self, agent: Release) -> str:
        """A build that nobody takes now; it stays in a spool of its own. The project."""
        began = time.monotonic()
        project = f"left.{len(self.gaps)}.{agent.name}"
        command = self.command(agent, project, "seq", "300")
        subprocess.run(command, env=self.spool(project), check=True, timeout=SECONDS, capture_output=True)
        self.left_seconds += time.monotonic() - began
        return project

    def deliver(self, agent: Release, project: str) -> None:
        """Deliver what another release's agent left."""
        command = [agent.python, "-m", "build_dashboard", "run", "--resume", "--linger", str(SECONDS)]
        subprocess.run(command, env=self.spool(project), check=True, timeout=2 * SECONDS, capture_output=True)
        assert [str(n) for n in range(1, 301)] == self.log(project)

    def spool(self, project: str) -> dict[str, str]:
        return {**self.stack.agent_environment, "XDG_STATE_HOME": str(self.directory / "spools" / project)}

    def command(self, agent: Release, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        return [agent.python, *self.stack.agent_command(*arguments, options=options)[1:]]

    def lines(self, project: str) -> int:
        return max((build["logLines"] for build in self.builds(project)), default=0)

    def is_beyond(self, project: str, lines: int) -> bool:
        return self.lines(project) > lines

    def log(self, project: str) -> list[str]:
        def ended() -> list[dict[str, Any]]:
            return [build for build in self.builds(project) if build["status"] == "succeeded"]

        (build,) = wait_until(ended, SECONDS, f"{project} succeeded", every=0.2)
        text = self.stack.get_bytes(f"/api/builds/{build['id']}/logs?format=text", self.token)
        return text.decode().splitlines()

    def builds(self, project: str) -> list[dict[str, Any]]:
        return list(self.stack.get(f"/api/builds?project={project}", self.token)["items"])

    releases: list[Release] = field(default_factory=list)
    left_seconds: float = 0.0


@pytest.mark.parametrize(
    "driver",
    [
        "embedded",
        pytest.param("mariadb", marks=[pytest.mark.mariadb, pytest.mark.rabbitmq]),
        pytest.param("mongodb", marks=[pytest.mark.mongodb, pytest.mark.rabbitmq]),
    ],
)
@pytest.mark.timeout(900)
def test_a_system_goes_up_by_a_release_and_down_again(
    driver: str, earlier: Release, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Nothing is lost or has to wait for an agent of the same release, whichever of both is the older one."""
    if driver != "embedded" and not FULL:
        pytest.skip("minutes long: FULL=1")
    with stack_of(driver, earlier, tmp_path, request) as stack:
        walk = Walk(stack, tmp_path, stack.token(), releases=[earlier, TODAY])
        try:
            for agent in walk.releases:
                walk.stream(agent)
            wait_until(lambda: all(map(walk.lines, walk.agents)), SECONDS, "both builds stream", every=0.2)
            walk.step(TODAY)
            walk.step(earlier)
            walk.end()
        finally:
            (tmp_path / "over").touch()  # a build outlives an agent that is killed
            for agent_process in walk.agents.values():
                agent_process.terminate()
                agent_process.wait(SECONDS)
        print(f"{driver}: without an answer for {', '.join(f'{gap:.1f} s' for gap in walk.gaps)}")
