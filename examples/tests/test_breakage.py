"""Breakages as edits: what they change, what they refuse, and that they leave no trace."""

import shutil
from pathlib import Path

import breakage
import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1]
ALL = sorted((path.parents[1].name, path.stem) for path in EXAMPLES.glob("*/breaks/*.toml"))


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A copy of each example, which every test leaves as it was."""
    directory = tmp_path_factory.mktemp("trees")
    ignored = shutil.ignore_patterns("build")
    return {name: shutil.copytree(EXAMPLES / name, directory / name, ignore=ignored) for name in dict(ALL)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return shutil.copytree(EXAMPLES / "tensor-demo", tmp_path / "tree", ignore=shutil.ignore_patterns("build"))


def contents(tree: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def touched(tree: Path, broken: breakage.Breakage) -> tuple[list[Path], list[bytes | None]]:
    """Which files there are, and what is in those that the breakage edits."""
    edited = [tree / edit.file for edit in broken.edit]
    return sorted(tree.rglob("*")), [file.read_bytes() if file.exists() else None for file in edited]


@pytest.mark.parametrize(("example", "name"), ALL)
def test_reverting_restores_every_byte(trees: dict[str, Path], example: str, name: str) -> None:
    """A tree that was broken and mended is the tree that was there before; some breakages are only in the machine."""
    tree = trees[example]
    loaded = breakage.load(tree, name)
    before = touched(tree, loaded)

    assert breakage.main(["apply", str(tree), name]) == 0
    assert (touched(tree, loaded) != before) == bool(loaded.edit)
    assert loaded.edit or loaded.configure or loaded.environment or loaded.limits != breakage.Limits()
    assert breakage.main(["revert", str(tree), name]) == 0

    assert touched(tree, loaded) == before


@pytest.mark.parametrize(("example", "name"), ALL)
def test_the_expected_place_does_not_depend_on_the_state_of_the_tree(
    trees: dict[str, Path], example: str, name: str
) -> None:
    """The expected line is that of the broken tree, asked before or after the breakage is applied."""
    tree = trees[example]
    loaded = breakage.load(tree, name)
    before = loaded.describe(tree)

    loaded.apply(tree)

    broken = loaded.describe(tree)
    loaded.revert(tree)
    assert broken == before
    assert (before["file"] is None) == (before["line"] is None)


def test_a_new_file_takes_its_folder_along(tree: Path) -> None:
    """A folder that only a breakage's own file needs is there while it is broken, and gone afterwards."""
    edit = breakage.Edit(file="third_party/half/half.h", new="#pragma once\n")
    added = breakage.Breakage("new", "", "compile_error", "code", breakage.Expectation(log=""), [edit])

    added.apply(tree)
    assert (tree / "third_party/half/half.h").read_text() == "#pragma once\n"
    added.revert(tree)

    assert not (tree / "third_party").exists()


def test_a_file_that_is_there_is_not_overwritten(tree: Path) -> None:
    """A breakage that brings a file refuses a tree that has one of this name."""
    added = breakage.Breakage(
        "new",
        "",
        "compile_error",
        "code",
        breakage.Expectation(log=""),
        [breakage.Edit(file="CMakeLists.txt", new="project(Other)\n")],
    )
    before = contents(tree)

    with pytest.raises(breakage.BreakageError, match=r"CMakeLists\.txt is there already"):
        added.apply(tree)

    assert contents(tree) == before


def test_a_compiler_may_say_it_in_other_words(tree: Path) -> None:
    """What one compiler shows differently replaces the common expectation, and nothing else of it."""
    file = tree / "breaks/api-change.toml"
    file.write_text(file.read_text() + '\n[expect.clang]\nlog = "no member"\n')
    loaded = breakage.load(tree, "api-change")

    assert loaded.expected_of("clang").log == "no member"
    assert loaded.expected_of("clang").file == loaded.expected_of("gcc").file
    assert loaded.expected_of("gcc").log != "no member"


def test_a_second_application_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A breakage that is already in the tree is not applied twice, and the tree stays as it is."""
    breakage.main(["apply", str(tree), "api-change"])
    broken = contents(tree)

    assert breakage.main(["apply", str(tree), "api-change"]) == 1

    assert contents(tree) == broken
    assert "src/lowering/scope.h holds 0 times" in capsys.readouterr().err


def test_an_edit_that_no_longer_fits_changes_nothing(tree: Path) -> None:
    """When the second of two edits does not fit, the first is not written either."""
    second = tree / "src/lowering/scope.cpp"
    second.write_text(second.read_text().replace("Scope::find", "Scope::search"))
    before = contents(tree)

    assert breakage.main(["apply", str(tree), "api-change"]) == 1

    assert contents(tree) == before


def test_an_unknown_name_lists_the_known_ones(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt breakage is answered with those that exist."""
    assert breakage.main(["apply", str(tree), "api-chnage"]) == 1
    assert "api-change" in capsys.readouterr().err


def test_an_unknown_field_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt field in a breakage is an error, not a breakage that expects less."""
    file = tree / "breaks/api-change.toml"
    file.write_text(file.read_text().replace("[expect]\n", "[expect]\nlien = 3\n"))

    assert breakage.main(["expect", str(tree), "api-change"]) == 1

    assert "lien" in capsys.readouterr().err


@pytest.mark.parametrize(("example", "name"), ALL)
def test_every_breakage_is_in_the_table(trees: dict[str, Path], example: str, name: str) -> None:
    """README.md tells of every breakage what it is, and which category is expected."""
    loaded = breakage.load(trees[example], name)

    assert f"| `{name}` | {loaded.summary} | `{loaded.category}` |" in (EXAMPLES / "README.md").read_text()
