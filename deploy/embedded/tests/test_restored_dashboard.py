"""A dashboard restored from a backup that was taken under load: the drill, with real agents and real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from build_testkit.stack import Stack, embedded_stack, free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 60
LINES = 20_000
FLOOD = ("seq", "-f", "line %g of many that are there when the backup begins", str(LINES))
WAITING = """
i=0
while [ ! -e {done} ] && [ $i -lt 20000 ]; do echo "line $i of a build that runs"; i=$((i+1)); sleep 0.01; done
echo the end; exit {code}
"""


def command(stack: Stack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "build_dashboard", *arguments],
        env={**stack.agent_environment, **environment},
        cwd=stack.directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SECONDS,
    )


@dataclass
class Person:
    """Who looks at a dashboard, logged in once."""

    stack: Stack
    token: str

    def builds(self, project: str) -> list[dict[str, Any]]:
        return list(self.get(f"/api/builds?project={project}")["items"])

    def the_build(self, project: str, **wanted: Any) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.builds(project)
            return found[0] if len(found) == 1 and wanted.items() <= found[0].items() else None

        return dict(wait_until(look, SECONDS, f"one build of {project} with {wanted}", every=0.2))

    def log(self, build: dict[str, Any]) -> list[str]:
        path = f"/api/builds/{build['id']}/logs?format=text"
        return self.stack.get_bytes(path, self.token).decode().splitlines()

    def artifacts(self, build: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.get(f"/api/builds/{build['id']}/artifacts")["items"]
        return [artifact for artifact in found if artifact["name"] == "artifact.bin"]

    def get(self, path: str) -> Any:
        return self.stack.get(path, self.token)


@dataclass
class Streams:
    """Agents that report builds for as long as a file is not there."""

    directory: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, person: Person, project: str, code: int = 0) -> None:
        """A build of this project; returns once it is seen to stream."""
        script = WAITING.format(done=self.directory / project, code=code)
        options = ("--linger", str(SECONDS))
        self.running[project] = subprocess.Popen(
            person.stack.agent_command(project, "sh", "-c", script, options=options),
            env=person.stack.agent_environment,
            stdout=subprocess.DEVNULL,
        )
        streams = lambda: [build for build in person.builds(project) if build["logLines"] > 20]  # noqa: E731
        wait_until(streams, SECONDS, f"{project} streams", every=0.1)

    def end(self, project: str) -> int:
        """Let the build end; its agent's exit code, once it has delivered all."""
        (self.directory / project).touch()
        return self.running[project].wait(SECONDS)


@pytest.fixture
def streams(tmp_path: Path) -> Iterator[Streams]:
    made = Streams(tmp_path)
    yield made
    for project, agent in made.running.items():
        (tmp_path / project).touch()  # a build outlives an agent that is killed
        agent.terminate()
        agent.wait()


def run_whole(stack: Stack, project: str, *argv: str, options: tuple[str, ...] = ()) -> None:
    done = command(stack, "run", "--project", project, "--linger", str(SECONDS), *options, "--", *argv)
    assert done.returncode == 0, done.stderr


def test_what_a_backup_misses_comes_from_the_agents(tmp_path: Path, streams: Streams) -> None:
    """What is older than the backup is there: log, artifact and all. A build that ran through it, and one that began
    after it and was reported as stored, end whole. An old token and an old key are nobody's until confirmed."""
    port, backup = free_port(), tmp_path / "backup"
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    content = os.urandom(200_000)
    (first / "artifact.bin").write_bytes(content)
    with embedded_stack(first, port=port) as stack:
        run_whole(stack, "before", *FLOOD, options=("--artifact", "*.bin"))
        early = Person(stack, stack.token())
        streams.start(early, "through")
        wait_until(lambda: early.artifacts(early.the_build("before")), SECONDS, "the artifact", every=0.1)
        taken = command(stack, "backup", str(backup), "--data", str(first / "data"))
        assert taken.returncode == 0, taken.stderr
        run_whole(stack, "gone", "echo", "verified after the backup: no agent has it any more")
        streams.start(early, "after", code=3)
        stack.processes["embedded"].stop(signal.SIGKILL)

        restored = command(stack, "restore", str(backup), "--data", str(second / "data"))
        assert restored.returncode == 0, restored.stderr
        extra = {
            "BUILD_DASHBOARD_ADMIN_PASSWORD": restored.stdout.split()[-1],
            "BUILD_DASHBOARD_API_KEY": stack.api_key,
        }
        with embedded_stack(second, extra, port) as healed:
            with pytest.raises(OSError, match="401"):
                healed.get("/api/builds", early.token)
            late = Person(healed, healed.token())
            assert [True] == [key["onHold"] for key in late.get("/api/keys")["items"]]
            before = late.the_build("before", status="succeeded")
            assert [FLOOD[2].replace("%g", str(n)) for n in range(1, LINES + 1)] == late.log(before)
            (artifact,) = late.artifacts(before)
            assert content == healed.get_bytes(f"/api/artifacts/{artifact['id']}/download", late.token)
            assert [] == late.builds("after") == late.builds("gone")

            confirmed = command(healed, "keys", "confirm", "--all")
            assert confirmed.returncode == 0, confirmed.stderr
            assert [0, 3] == [streams.end(project) for project in ("through", "after")]
            for project, status in (("through", "succeeded"), ("after", "failed")):
                lines = late.log(late.the_build(project, status=status, asOfSeq=late.builds(project)[0]["asOfSeq"]))
                assert [f"line {n} of a build that runs" for n in range(len(lines) - 1)] == lines[:-1]
                assert "the end" == lines[-1]
            assert [] == list((first / "state").rglob("*.spool"))
