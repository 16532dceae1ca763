"""The examples really build, and really break as their breakages say; the analyser finds what was broken."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import breakage
import pytest
import verification
from broken_build import LIMIT_SECONDS, BrokenBuild, CannotBreakHere

EXAMPLES = Path(__file__).parents[1]
# A build that has to share its processors takes many times as long as on a machine of its own.
pytestmark = pytest.mark.timeout(LIMIT_SECONDS)
IN_FULL = os.environ.get("FULL") == "1"
FULL_ONLY = pytest.mark.skipif(not IN_FULL, reason="FULL=1")


def breakages(example: str) -> list[Any]:
    """The breakages of an example; those that take long only when everything is asked for."""
    tree = EXAMPLES / example
    return [
        pytest.param(name, marks=[FULL_ONLY] if breakage.load(tree, name).long else []) for name in breakage.names(tree)
    ]


def check_is_found(build: BrokenBuild, name: str) -> None:
    """Build the broken copy and hold the analyser's answer against what was broken; the copy is mended afterwards."""
    broken = breakage.load(build.tree, name)
    if build.compiler not in broken.compilers:
        pytest.skip(f"not with {build.compiler}")
    try:
        outcome = verification.check(build, broken)
    except CannotBreakHere as reason:
        pytest.skip(str(reason))

    assert outcome.differences == [], f"expected {outcome.expected}, found {outcome.found}\n{outcome.log}"


@pytest.mark.slow
def test_a_wrong_answer_is_told(tensor_demo: BrokenBuild, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When the analyser says something else than what was broken, `verify` shows both, says where, and fails."""
    tree = shutil.copytree(tensor_demo.tree, tmp_path / "tree")
    file = tree / "breaks/unknown-command.toml"
    file.write_text(file.read_text().replace('at = "loom_libary("', 'at = "function(loom_library"'))

    code = breakage.main(["verify", str(tree), "unknown-command", "cmake-too-old", "--compiler", tensor_demo.compiler])

    shown = capsys.readouterr()
    assert code == 1
    verdicts = {line.split()[0]: line.split()[-3] for line in shown.out.splitlines()[1:]}
    assert verdicts == {"unknown-command": "no", "cmake-too-old": "yes"}
    assert re.search(r"line is 32, not \d+", shown.err)


@pytest.mark.slow
def test_a_breakage_that_breaks_nothing_is_told(tensor_demo: BrokenBuild) -> None:
    """A breakage whose build passes is a difference of its own, not a silent agreement."""
    harmless = breakage.Breakage(
        "harmless",
        "",
        "unknown",
        None,
        breakage.Expectation(log="nothing of this kind"),
        environment={"TARGETS": "loom_check", "TESTS": "no_such_test"},
    )

    outcome = verification.check(tensor_demo, harmless)

    assert "the build passed" in outcome.differences


@pytest.mark.slow
def test_the_tensor_compiler_builds_and_passes_its_tests(tensor_demo: BrokenBuild) -> None:
    """One command configures, builds 60-odd files with visible progress, and runs the tests; nothing is wrong."""
    code, log = tensor_demo.run()

    assert code == 0, log
    assert "-- Configuring done" in log
    progress = [(int(n), int(m)) for n, m in re.findall(r"^\[(\d+)/(\d+)\] ", log, re.MULTILINE)]
    assert progress[-1][0] == progress[-1][1] >= 90
    assert "100% tests passed, 0 tests failed out of 17" in log
    assert "warning:" not in log
    assert verification.analyze(log).failures == []


@pytest.mark.slow
@pytest.mark.parametrize("name", breakages("tensor-demo"))
def test_what_broke_the_tensor_compiler_is_found(tensor_demo: BrokenBuild, name: str) -> None:
    """Each breakage is answered with its category, its first line, its place and its edge or test."""
    check_is_found(tensor_demo, name)


@pytest.mark.slow
@FULL_ONLY
@pytest.mark.parametrize("name", breakage.names(EXAMPLES / "tensor-demo"))
def test_what_broke_it_is_found_with_clang_too(tensor_demo_by_clang: BrokenBuild, name: str) -> None:
    """The other compiler says the same in other words."""
    check_is_found(tensor_demo_by_clang, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", breakages("toolbox"))
def test_what_a_tool_of_the_toolbox_prints_is_found(toolbox: BrokenBuild, name: str) -> None:
    """Each breakage is answered with its category, its first line, its place and its test; a missing tool skips."""
    check_is_found(toolbox, name)


@pytest.mark.slow
@pytest.mark.mlir
def test_the_mlir_dialect_builds_and_passes_its_tests(mlir_standalone: BrokenBuild) -> None:
    """One command configures, builds against the installed MLIR, and runs the lit tests; nothing is wrong."""
    code, log = mlir_standalone.run()

    assert code == 0, log
    assert re.search(r"Passed: 5 \(100.00%\)", log)
    assert "warning:" not in log
    assert verification.analyze(log).failures == []


@pytest.mark.slow
@pytest.mark.mlir
@pytest.mark.parametrize("name", breakages("mlir-standalone"))
def test_what_broke_the_mlir_dialect_is_found(mlir_standalone: BrokenBuild, name: str) -> None:
    """Each breakage is answered with its category, its first line, its place and its edge or test."""
    check_is_found(mlir_standalone, name)
