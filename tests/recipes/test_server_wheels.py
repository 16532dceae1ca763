"""The server installs from the folder that `make wheels` fills, on each Python it is for, and needs nothing else."""

import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from build_testkit.stack import Process, free_port

PYTHONS = ("3.11", "3.12", "3.13")
EVERYWHERE = bool(os.environ.get("FULL"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both wheels, as `make wheels` makes them."""
    if shutil.which("uv") is None:
        pytest.skip("needs uv, which finds and makes the Pythons")
    folder = tmp_path_factory.mktemp("dist")
    for name in ("build-dashboard", "build-dashboard-server"):
        command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), "--package", name]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2], capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", PYTHONS if EVERYWHERE else PYTHONS[-1:])
def test_the_server_runs_from_its_wheels(version: str, wheels: Path, tmp_path: Path) -> None:
    """All services, ready, and the page, with no Node and nothing else of this machine on the PATH."""
    python = python_of(version)
    if python is None:
        pytest.skip(f"needs Python {version}: uv python install {version}")
    environment = tmp_path / "venv"
    for command in (
        ["uv", "venv", "--quiet", "--python", python, str(environment)],
        ["uv", "pip", "install", "--quiet", "--find-links", str(wheels), "build-dashboard-server"],
    ):
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "VIRTUAL_ENV": str(environment)})
    port = free_port()
    process = Process(
        "up",
        [str(environment / "bin" / "build-dashboard"), "up", "--port", str(port), "--data", str(tmp_path / "data")],
        {"PATH": str(environment / "bin"), "HOME": str(tmp_path)},
        tmp_path / "log",
        port,
    )
    process.start()
    try:
        process.wait_ready()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert '<div id="root">' in answer.read().decode()
    finally:
        process.stop(signal.SIGTERM)


def python_of(version: str) -> str | None:
    """A Python of this version: pyenv's, whose shims for others are no Pythons, else what uv finds."""
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if kept:
        return str(kept[-1])
    found = subprocess.run(["uv", "python", "find", version], check=False, capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None
