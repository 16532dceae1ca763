"""No test sleeps to hope: it waits for a condition, for a clock of its own, or says in `waits.toml` why it cannot."""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

ROOT = Path(__file__).parents[2]
LISTED = tomllib.loads((Path(__file__).parent / "waits.toml").read_text())
DATA = "tests/truth/projects/"


def is_test_code(name: str) -> bool:
    path = PurePath(name)
    belongs = "tests" in path.parts or name.startswith("libs/testkit/") or path.name == "conftest.py"
    return (belongs or path.name.startswith("test_")) and not name.startswith(DATA)


def waits(source: str) -> Iterator[tuple[str, int]]:
    """(function, line) of each sleep of a fixed length outside a loop that looks whether there is reason to go on."""
    places: list[tuple[ast.AST, str, bool]] = [(ast.parse(source), "", False)] if "sleep(" in source else []
    while places:
        node, function, is_looking = places.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function, is_looking = node.name, False
        if isinstance(node, ast.Call) and is_fixed_sleep(node) and not is_looking:
            yield function, node.lineno
        is_looking = is_looking or isinstance(node, ast.While)
        places += [(child, function, is_looking) for child in ast.iter_child_nodes(node)]


def is_fixed_sleep(call: ast.Call) -> bool:
    if ast.unparse(call.func) not in {"time.sleep", "asyncio.sleep", "sleep"} or not call.args:
        return False
    length = call.args[0]
    if isinstance(length, ast.Name):
        return length.id.isupper()
    return isinstance(length, ast.Constant) and bool(length.value)


def test_no_test_waits_for_a_fixed_time() -> None:
    """Unless it is listed with a reason; and what is listed is there."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = {
        (name, function): line
        for name in filter(is_test_code, listed.split())
        for function, line in waits((ROOT / name).read_text())
    }
    allowed = {(name, function) for name, entry in LISTED.items() for function in entry["functions"]}

    assert {} == {place: line for place, line in found.items() if place not in allowed}, (
        "wait for a condition, or a clock"
    )
    assert set() == allowed - set(found), "listed, but no longer there"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("def f():\n    time.sleep(0.2)", 1),
        ("async def f():\n    for n in range(3):\n        await asyncio.sleep(LONG_SECONDS)", 1),
        ("async def f():\n    while not done():\n        await asyncio.sleep(0.01)", 0),
        ("async def f():\n    await asyncio.sleep(0)", 0),
        ("async def f(seconds):\n    await asyncio.sleep(seconds)", 0),
        ("def f():\n    while True:\n        def g():\n            time.sleep(1)", 1),
    ],
)
def test_a_wait_is_seen_where_it_is(source: str, count: int) -> None:
    """By a number or by a constant's name; a loop's condition and an argument are what a test may wait for."""
    assert len(list(waits(source))) == count
