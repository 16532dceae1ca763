"""Signatures under renaming: another machine's log of the same failure is in the same group."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from build_analysis.analyzer import LogAnalyzer
from build_analysis.failure import Failure

HERE = Path(__file__).parent
LOGS = sorted((HERE / "logs").glob("*.log"))
FORMATS: list[str] = [log for _, _, log in yaml.safe_load((HERE / "formats.yaml").read_text("utf-8"))]


def load(name: str) -> ModuleType:
    """One of the scripts beside the package."""
    spec = importlib.util.spec_from_file_location(name, HERE.parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def evaluate() -> ModuleType:
    return load("evaluate")


def failures_of(lines: list[str]) -> list[Failure]:
    analyzer = LogAnalyzer()
    analyzer.feed(1, lines)
    return analyzer.finish().failures


@pytest.mark.parametrize("seed", range(5))
def test_a_form_keeps_its_signature(evaluate: ModuleType, seed: int) -> None:
    """Other roots, users, pids, addresses, commits and temporary names change no signature of any known form."""
    changed = []
    for log in FORMATS:
        lines = log.split("\n")
        one, other = failures_of(lines), failures_of(evaluate.renamed(lines, seed))
        if [failure.signature for failure in one] != [failure.signature for failure in other]:
            changed.append((log, [failure.signature_parts for failure in other]))

    assert changed == []


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_real_log_keeps_its_signatures(evaluate: ModuleType, log: Path) -> None:
    """Each failure of a real log, not only the first, keeps its signature under three renamings."""
    lines = log.read_text("utf-8").rstrip("\n").split("\n")
    expected = [failure.signature for failure in failures_of(lines)]

    for seed in range(3):
        assert expected == [failure.signature for failure in failures_of(evaluate.renamed(lines, seed))]


@pytest.mark.parametrize(
    ("log", "changes"),
    [
        ("a.cpp:(.text+0x5): undefined reference to `mlir::f(int)'", [("f(int)", "g(int)"), ("f(int)", "f(long)")]),
        ("ld.lld: error: undefined symbol: mlir::f", [("mlir::f", "mlir::g")]),
        ("/s/A.h:9:10: fatal error: B/Ops.h.inc: No such file or directory", [("Ops.h.inc", "Types.h.inc")]),
        ("/s/a.cpp:3:5: error: 'x' was not declared in this scope", [("'x'", "'y'"), ("a.cpp", "b.cpp")]),
        ("D:\\s\\a.cpp(3): error C2065: 'x': undeclared identifier", [("'x'", "'y'"), ("C2065", "C2039")]),
        ("/s/t/a.mlir:7:3: error: CHECK: expected string not found in input", [("CHECK", "FOO"), ("a.mlir", "b.mlir")]),
        ("/s/Ops.td:3:5: error: Variable not defined: 'I32Foo'", [("I32Foo", "I64Foo")]),
        ("FAILED tests/test_a.py::test_x[f32] - AssertionError: no", [("f32", "f64"), ("test_x", "test_y")]),
        ("tool: /s/A.cpp:41: void f(): Assertion `x' failed.", [("`x'", "`y'"), ("A.cpp", "B.cpp")]),
        ("CMake Error at a.cmake:3 (message):\n  no target x", [("target x", "target y")]),
        ("ninja: error: unknown target 'check-a'", [("check-a", "check-b")]),
        ("ModuleNotFoundError: No module named 'mlir'", [("'mlir'", "'torch_mlir'")]),
        ("make: *** No rule to make target 'a.td', needed by 'b.inc'.  Stop.", [("a.td", "c.td")]),
    ],
)
def test_another_failure_has_another_signature(log: str, changes: list[tuple[str, str]]) -> None:
    """Another symbol, header, check, file, code, test or parameter is another group."""
    variants = [log, *(log.replace(old, new) for old, new in changes)]

    signatures = {failures_of(variant.split("\n"))[0].signature for variant in variants}

    assert len(variants) == len(signatures)


def test_a_shift_of_lines_is_the_same_failure() -> None:
    """Generated and edited files grow; the failure in them is the same."""
    logs = [f"/s/Ops.h.inc:{line}:13: error: 'class mlir::A' has no member named 'b'" for line in (434, 471)]

    assert 1 == len({failures_of([log])[0].signature for log in logs})
