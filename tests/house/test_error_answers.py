"""Errors are typed: no service chooses a status by itself, and a class below the coarse set keeps its shape."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "libs/chassis/src/build_chassis/problems.py": "where errors of the framework become ours",
    "services/notifier/src/build_notifier/channels/sendgrid/channel.py": "the standard library's class of that name",
}


def choices_of_status(source: str) -> list[str]:
    """Lines of a module that answer an error beside the typed set."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = node.id if isinstance(node, ast.Name) else node.attr
        if name in ("HTTPException", "add_exception_handler", "exception_handler"):
            found.append(f"line {node.lineno}: {name}")
    return found


@pytest.mark.parametrize(
    "source", ["raise HTTPException(404)", "app.add_exception_handler(E, f)", "fastapi.HTTPException"]
)
def test_a_choice_of_a_status_is_found(source: str) -> None:
    """The rule finds what breaks it."""
    assert choices_of_status(source)


def test_services_raise_typed_errors_only() -> None:
    """A status stands beside a code, a sentence and a remedy in `build_chassis.errors`, and nowhere else."""
    files = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libs/chassis/src/**/*.py")]
    names = {str(path.relative_to(ROOT)): path for path in files}
    broken = {name: found for name, path in names.items() if (found := choices_of_status(path.read_text()))}

    assert len(names) > 150
    assert set(ALLOWED) == set(broken)
