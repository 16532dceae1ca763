"""The examples build through the agent: what arrives is what the build printed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from build_testkit.stack import embedded_stack

SECONDS = 600


def stream(example: Any, directory: Path, project: str) -> tuple[dict[str, Any], list[str], list[str]]:
    """Build the example through an agent into a fresh system: the build's row, what it printed, what is stored."""
    with embedded_stack(directory) as stack:
        passed = subprocess.run(
            stack.agent_command(project, "sh", "-c", 'exec "$@" 2>&1', "sh", *example.command),
            env=stack.agent_environment | {name: example.environment[name] for name in ("LC_ALL", "PATH")},
            stdout=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
        (row,) = stack.get(f"/api/builds?project={project}")["items"]
        stored = stack.get_bytes(f"/api/builds/{row['id']}/logs?format=text").decode()
        build = stack.get(f"/api/builds/{row['id']}")
    assert passed.returncode == build["exitCode"]
    return build, passed.stdout.decode().splitlines(), stored.splitlines()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_the_tensor_compiler_streams_whole(tensor_demo: Any, tmp_path: Path) -> None:
    """Every line of a real configure, build and test arrives, with its phases and steps."""
    build, printed, stored = stream(tensor_demo, tmp_path, "loom")

    assert printed == stored
    assert ("succeeded", True, len(printed)) == (build["status"], build["verified"], build["logLines"])
    assert ["configure", "build", "test"] == [phase["phase"] for phase in build["phases"] if phase["phase"] != "link"]
    assert build["metrics"]["stepsTotal"] > 0
    assert {"cmake", "ninja"} <= set(build["tools"])


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.mlir
def test_the_mlir_dialect_streams_whole(mlir_standalone: Any, tmp_path: Path) -> None:
    """An out-of-tree MLIR project, TableGen to lit, arrives line for line."""
    build, printed, stored = stream(mlir_standalone, tmp_path, "tally")

    assert printed == stored
    assert ("succeeded", True) == (build["status"], build["verified"])
    assert any(line.split() == ["Passed:", "5", "(100.00%)"] for line in stored)
