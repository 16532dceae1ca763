"""Breakages as edits: what they change, what they refuse, and that they leave no trace."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[1]
ALL = sorted((path.parents[1].name, path.stem) for path in EXAMPLES.glob("*/breaks/*.toml"))


@pytest.fixture(scope="module")
def breakage() -> ModuleType:
    specification = importlib.util.spec_from_file_location("breakage", EXAMPLES / "breakage.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return shutil.copytree(EXAMPLES / "tensor-demo", tmp_path / "tree", ignore=shutil.ignore_patterns("build*/"))


def contents(tree: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("example", "name"), ALL)
def test_reverting_restores_every_byte(breakage: ModuleType, tmp_path: Path, example: str, name: str) -> None:
    """A tree that was broken and mended is the tree that was there before."""
    tree = shutil.copytree(EXAMPLES / example, tmp_path / "tree", ignore=shutil.ignore_patterns("build*/"))
    before = contents(tree)

    assert breakage.main(["apply", str(tree), name]) == 0
    assert contents(tree) != before
    assert breakage.main(["revert", str(tree), name]) == 0

    assert contents(tree) == before


@pytest.mark.parametrize(("example", "name"), ALL)
def test_the_expected_place_does_not_depend_on_the_state_of_the_tree(
    breakage: ModuleType, tmp_path: Path, example: str, name: str
) -> None:
    """The expected line is that of the broken tree, asked before or after the breakage is applied."""
    tree = shutil.copytree(EXAMPLES / example, tmp_path / "tree", ignore=shutil.ignore_patterns("build*/"))
    loaded = breakage.load(tree, name)
    before = loaded.describe(tree)

    loaded.apply(tree)

    assert loaded.describe(tree) == before
    assert (before["file"] is None) == (before["line"] is None)


def test_a_second_application_is_refused(breakage: ModuleType, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A breakage that is already in the tree is not applied twice, and the tree stays as it is."""
    breakage.main(["apply", str(tree), "api-change"])
    broken = contents(tree)

    assert breakage.main(["apply", str(tree), "api-change"]) == 1

    assert contents(tree) == broken
    assert "src/lowering/scope.h holds 0 times" in capsys.readouterr().err


def test_an_edit_that_no_longer_fits_changes_nothing(breakage: ModuleType, tree: Path) -> None:
    """When the second of two edits does not fit, the first is not written either."""
    second = tree / "src/lowering/scope.cpp"
    second.write_text(second.read_text().replace("Scope::find", "Scope::search"))
    before = contents(tree)

    assert breakage.main(["apply", str(tree), "api-change"]) == 1

    assert contents(tree) == before


def test_an_unknown_name_lists_the_known_ones(
    breakage: ModuleType, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt breakage is answered with those that exist."""
    assert breakage.main(["apply", str(tree), "api-chnage"]) == 1
    assert "api-change" in capsys.readouterr().err


def test_an_unknown_field_is_refused(breakage: ModuleType, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt field in a breakage is an error, not a breakage that expects less."""
    file = tree / "breaks/api-change.toml"
    file.write_text(file.read_text().replace("[expect]\n", "[expect]\nlien = 3\n"))

    assert breakage.main(["expect", str(tree), "api-change"]) == 1

    assert "lien" in capsys.readouterr().err
