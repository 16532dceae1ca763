"""The founding document's commands, word for word, on what a fresh clone has.

`docker-compose up -d mysql` is in deploy/tests/test_containers.py, which has an engine; the SDK's example against a
running system in libs/agent/tests/test_sdk.py; `python server.py` with the document's `.env` in
deploy/embedded/tests/test_up.py.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_testkit.stack import Process, free_port, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not os.environ.get("FULL"),
        reason="installs everything anew, minutes of processor time: FULL=1 runs it",
    ),
]

ROOT = Path(__file__).parents[2]
SDK = """
from build_dashboard import BuildAgent

agent = BuildAgent(
    project_name="torch-mlir",
    api_key="your_api_key",
    ws_endpoint="wss://your-api-gateway-url"
)

@agent.on_build_start
def handle_build_start(build_id):
    print(f"Build {build_id} started")

@agent.on_build_complete
def handle_build_complete(build_id, status):
    print(f"Build {build_id} completed with status: {status}")
"""


class Clone:
    """A fresh clone, and the shell of whoever works in it: a virtual environment of its own is active."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BUILD_DASHBOARD", "PYTEST"))},
            "PATH": f"{directory / 'venv' / 'bin'}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(directory / "venv"),
        }

    def run(self, command: str, seconds: float = 900) -> str:
        """What a command line printed; it must end with 0."""
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=self.directory,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
        return ran.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """What is committed, or about to be; nothing that is ignored."""
    directory = tmp_path_factory.mktemp("seed") / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    venv.create(directory / "venv", with_pip=True, symlinks=True)
    yield Clone(directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def installed(clone: Clone) -> Clone:
    """With what the document installs."""
    clone.run("pip install -r requirements.txt")
    clone.run("npm install")
    return clone


def test_what_is_installed_has_the_sdk(installed: Clone) -> None:
    """The example's imports and names, from the clone's own sources."""
    installed.run(f"python - <<'END'\n{SDK}\nEND")
    assert str(installed.directory) in installed.run(
        "python -c 'import build_dashboard; print(build_dashboard.__file__)'"
    )


def test_the_development_server_starts(installed: Clone) -> None:
    """`python server.py`."""
    port = free_port()
    command = ["python", "server.py", "--port", str(port)]
    process = Process("server.py", command, installed.environment, installed.directory / "server.log", port)
    process.command[0] = str(installed.directory / "venv" / "bin" / "python")
    process.start()
    try:
        process.wait_ready()
    finally:
        process.stop(signal.SIGTERM)


def test_the_dashboard_starts_with_hot_reload(installed: Clone) -> None:
    """`npm run dev` serves the page."""
    log = installed.directory / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["npm", "run", "dev"],
            cwd=installed.directory,
            env=installed.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        (address,) = wait_until(lambda: re.findall(r"Local:\s+(http://\S+)", shown(log)), 60, "its address")
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert '<div id="root">' in answer.read().decode()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def shown(log: Path) -> str:
    """What a program printed, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text())


def test_the_backends_tests_run(installed: Clone) -> None:
    """`python -m pytest` finds every test, and runs one of each kind of package."""
    collected = installed.run("python -m pytest --collect-only -q").splitlines()
    assert " error" not in collected[-1]
    assert "passed" in installed.run("python -m pytest -q libs/protocol services/gateway/tests/test_decode.py")


def test_the_pages_tests_run(installed: Clone) -> None:
    """`npm run test`, without uv."""
    path = ":".join(part for part in installed.environment["PATH"].split(":") if not (Path(part) / "uv").exists())
    installed.environment["PATH"] = path
    installed.run("npm run test")


def test_this_runs_on_the_python_it_is_run_with(installed: Clone) -> None:
    """And no other one."""
    version = installed.run("python --version").split()[1]
    assert version.split(".")[:2] == [str(part) for part in sys.version_info[:2]]
