"""The examples really build, and really break as their breakages say."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1]


def breakages(example: str) -> list[str]:
    return sorted(path.stem for path in (EXAMPLES / example / "breaks").glob("*.toml"))


def run_breakage(command: str, tree: Path, name: str) -> str:
    script = [sys.executable, str(EXAMPLES / "breakage.py"), command, str(tree), name]
    return subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True).stdout


def check_breaks_as_stated(example: Any, name: str) -> None:
    """Build the broken copy and compare its log with the expectation; the copy is mended afterwards."""
    expected = json.loads(run_breakage("expect", example.tree, name))
    run_breakage("apply", example.tree, name)
    try:
        result = example.build()
    finally:
        run_breakage("revert", example.tree, name)
    assert result.returncode != 0, result.stdout
    first = next((line for line in result.stdout.splitlines() if re.search(expected["log"], line)), None)
    assert first is not None, result.stdout
    if expected["file"] is not None:
        assert f"{expected['file']}:{expected['line']}" in first


@pytest.mark.slow
def test_the_tensor_compiler_builds_and_passes_its_tests(tensor_demo: Any) -> None:
    """One command configures, builds 60-odd files with visible progress, and runs the tests."""
    result = tensor_demo.build()

    assert result.returncode == 0, result.stdout
    assert "-- Configuring done" in result.stdout
    progress = [(int(n), int(m)) for n, m in re.findall(r"^\[(\d+)/(\d+)\] ", result.stdout, re.MULTILINE)]
    assert progress[-1][0] == progress[-1][1] >= 90
    assert "100% tests passed, 0 tests failed out of 17" in result.stdout
    assert "warning:" not in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", breakages("tensor-demo"))
def test_the_tensor_compiler_breaks_as_stated(tensor_demo: Any, name: str) -> None:
    """Each breakage fails the build with the error, and at the place, that its file names."""
    check_breaks_as_stated(tensor_demo, name)


@pytest.mark.slow
@pytest.mark.mlir
def test_the_mlir_dialect_builds_and_passes_its_tests(mlir_standalone: Any) -> None:
    """One command configures, builds against the installed MLIR, and runs the lit tests."""
    result = mlir_standalone.build()

    assert result.returncode == 0, result.stdout
    assert re.search(r"Passed: 5 \(100.00%\)", result.stdout)
    assert "warning:" not in result.stdout


@pytest.mark.slow
@pytest.mark.mlir
@pytest.mark.parametrize("name", breakages("mlir-standalone"))
def test_the_mlir_dialect_breaks_as_stated(mlir_standalone: Any, name: str) -> None:
    """Each breakage fails the build with the error, and at the place, that its file names."""
    check_breaks_as_stated(mlir_standalone, name)
