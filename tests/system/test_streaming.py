"""A wrapped command's output, facts and result arrive whole, on the embedded system and on separate processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from build_testkit.repository import Repository
from build_testkit.stack import Stack, wait_until

pytestmark = pytest.mark.slow

AWKWARD = r"""
import sys, os
out = sys.stdout.buffer
out.write(b"plain\n")
out.write(b"\x1b[31mred\x1b[0m \xff\xfe not utf-8\n")
out.write(b"\n")
out.write(b"windows line\r\n")
out.write(b"10%\r50%\r100%\n")
out.write(b"x" * 200_000 + b"\n")
out.write("snow \u2603 \U0001f600\n".encode())
out.write(b"<script>alert(1)</script>\n")
out.write(b"no final newline")
out.flush()
sys.exit(7)
"""
EXPECTED = [
    "plain",
    "\x1b[31mred\x1b[0m \ufffd\ufffd not utf-8",
    "",
    "windows line",
    "100%",
    "x" * 200_000,
    "snow \u2603 \U0001f600",
    "<script>alert(1)</script>",
    "no final newline",
]


def builds(stack: Stack, project: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = stack.get(f"/api/builds?project={project}")["items"]
    return listed


def run(stack: Stack, project: str, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        stack.agent_command(project, *command, options=options),
        env=stack.agent_environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_the_log_is_the_build_s_own_output(stack: Stack) -> None:
    """Line for line after the documented normalisation, whatever bytes the build prints; the exit code is kept."""
    passed = run(stack, "awkward", sys.executable, "-c", AWKWARD)

    (build,) = builds(stack, "awkward")
    log = stack.get(f"/api/builds/{build['id']}/logs?first=1&count=100")

    assert passed.returncode == 7
    assert log["lines"] == EXPECTED
    assert ("failed", 7, len(EXPECTED)) == (build["status"], build["exitCode"], build["logLines"])
    assert build["verified"]
    assert "\n".join(EXPECTED) == stack.get_bytes(f"/api/builds/{build['id']}/logs?format=text").decode().removesuffix(
        "\n"
    )


def test_output_passes_through_byte_for_byte(stack: Stack) -> None:
    """What the person sees is what the command wrote, also where it is not text."""
    wrapped = run(stack, "bytes", sys.executable, "-c", AWKWARD)
    bare = subprocess.run([sys.executable, "-c", AWKWARD], capture_output=True, check=False)

    assert bare.stdout == wrapped.stdout


def test_progress_and_facts_reach_the_build(stack: Stack, tmp_path: Path) -> None:
    """Steps parsed from ninja's status, the commit of the tree, host and command are on the build."""
    sha = Repository(tmp_path).create().commit("First")
    script = 'for n in 1 2 3 4; do echo "[$n/4] Building CXX object a$n.o"; done'

    subprocess.run(
        stack.agent_command("facts", "sh", "-c", script, options=("--config-name", "release")),
        env=stack.agent_environment,
        cwd=tmp_path,
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )

    (row,) = builds(stack, "facts")
    build = stack.get(f"/api/builds/{row['id']}")
    assert ("succeeded", "main", "release", sha, "First") == (
        build["status"],
        build["branch"],
        build["config"],
        build["commit"],
        build["commitSubject"],
    )
    assert (build["metrics"]["stepsDone"], build["metrics"]["stepsTotal"]) == (4, 4)
    assert os.cpu_count() == build["host"]["cores"]
    assert ["sh", "-c", script] == build["command"]
    assert build["metrics"]["wallMs"] > 0


def test_a_dashboard_that_is_down_neither_fails_nor_delays_the_build(stack: Stack, tmp_path: Path) -> None:
    """The command runs and ends as without it; its records arrive with a later run, once the dashboard answers."""
    down = stack.agent_environment | {"WS_ENDPOINT": "ws://127.0.0.1:9", "XDG_STATE_HOME": str(tmp_path)}
    offline = subprocess.run(
        stack.agent_command("offline", "sh", "-c", "echo built while away; exit 3"),
        env=down,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (offline.returncode, offline.stdout) == (3, b"built while away\n")

    up = stack.agent_environment | {"XDG_STATE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "build_dashboard", "run", "--resume"], env=up, check=True, timeout=30)

    (build,) = wait_until(lambda: builds(stack, "offline"), 60, "the build that ran offline")
    assert (build["status"], build["exitCode"]) == ("failed", 3)
    assert stack.get(f"/api/builds/{build['id']}/logs?first=1&count=10")["lines"] == ["built while away"]


@pytest.mark.rabbitmq
def test_two_agents_and_two_gateways_show_both_builds_on_both_pages(separate: Stack, tmp_path: Path) -> None:
    """Which gateway an agent or a viewer is connected to makes no difference."""
    second = f"http://127.0.0.1:{separate.processes['gateway-2'].port}"
    agents = [
        subprocess.Popen(
            separate.agent_command("pair", "sh", "-c", f"echo from {name}"),
            env=separate.agent_environment
            | {"WS_ENDPOINT": url.replace("http", "ws", 1), "XDG_STATE_HOME": str(tmp_path / name)},
            stdout=subprocess.DEVNULL,
        )
        for name, url in (("one", separate.url), ("two", second))
    ]
    assert [agent.wait(30) for agent in agents] == [0, 0]

    seen = []
    for url in (separate.url, second):
        page = Stack(separate.directory, url, separate.password, separate.api_key, separate.processes)
        seen.append(
            {
                page.get(f"/api/builds/{build['id']}/logs?first=1&count=1")["lines"][0]
                for build in page.get("/api/builds?project=pair")["items"]
            }
        )
    assert [{"from one", "from two"}] * 2 == seen


def test_json_of_the_client_is_the_api_s(stack: Stack) -> None:
    """`build-dashboard builds --json` prints what the API answers, for scripts."""
    run(stack, "client", "true")

    listed = subprocess.check_output(
        [sys.executable, "-m", "build_dashboard", "builds", "--project", "client", "--json"],
        env=stack.agent_environment,
    )

    assert json.loads(listed)[0]["project"] == "client"
