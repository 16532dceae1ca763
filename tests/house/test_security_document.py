"""docs/security.md: what it says to be proven names tests that there are."""

import ast
import re
from pathlib import Path

CASES = 54


def test_every_test_it_names_is_there(repository: Path) -> None:
    """By file and name; a test that is renamed is renamed there, one that goes takes its claim with it."""
    text = (repository / "docs/security.md").read_text()
    named = set(re.findall(r"`([\w/.-]+\.py)::(\w+)`", text))
    known = {
        (path, node.name)
        for path in {path for path, _ in named}
        if (repository / path).is_file()
        for node in ast.walk(ast.parse((repository / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert len(named) > 50
    assert set() == named - known


def test_every_abuse_case_is_answered_once(repository: Path) -> None:
    """With a test, or with the reason why there is none."""
    text = (repository / "docs/security.md").read_text().partition("## Abuse cases")[2].partition("\n## ")[0]
    answered: list[int] = []
    for line in text.splitlines():
        row = [cell.strip() for cell in line.strip("|").split(" | ")]
        if (numbers := re.fullmatch(r"(\d+)(?:-(\d+))?", row[0].strip("| "))) is not None:
            answered += range(int(numbers[1]), int(numbers[2] or numbers[1]) + 1)
            assert row[2] in ("holds", "part", "void"), line
            assert row[2] == "void" or "::" in row[3] or row[4].rstrip(" |"), line

    assert answered == list(range(1, CASES + 1))
