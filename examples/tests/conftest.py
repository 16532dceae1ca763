"""The examples as a test uses them: a private copy, and the one command that builds it."""

import os
import shutil
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1]
# The scripts beside the examples are no package: people run them as they are.
sys.path.insert(0, str(EXAMPLES))

from broken_build import BrokenBuild  # noqa: E402 - found by the path above
from verification import QUICK  # noqa: E402


def copy(name: str, directory: Path, compiler: str = "") -> BrokenBuild:
    """Copy an example without what builds left in it; the machine's own compiler is the default."""
    tree = directory / name
    shutil.copytree(EXAMPLES / name, tree, ignore=shutil.ignore_patterns("build", "__pycache__"))
    return BrokenBuild(tree, directory / "build", compiler or ("gcc" if shutil.which("g++") else "clang"), QUICK)


@pytest.fixture(scope="session")
def tensor_demo(tmp_path_factory: pytest.TempPathFactory) -> BrokenBuild:
    """The tensor compiler; unoptimised, because the tests wait for every build of it."""
    return copy("tensor-demo", tmp_path_factory.mktemp("tensor"))


@pytest.fixture(scope="session")
def tensor_demo_by_clang(tmp_path_factory: pytest.TempPathFactory) -> BrokenBuild:
    """The tensor compiler, built by clang."""
    return copy("tensor-demo", tmp_path_factory.mktemp("tensor-clang"), "clang")


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> BrokenBuild:
    """Small programs, one a tool."""
    return copy("toolbox", tmp_path_factory.mktemp("toolbox"), "gcc")


@pytest.fixture(scope="session")
def mlir_standalone(tmp_path_factory: pytest.TempPathFactory) -> BrokenBuild:
    """The MLIR dialect; skipped where the packages are missing, which in CI is a failure."""
    missing = missing_mlir_packages()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return copy("mlir-standalone", tmp_path_factory.mktemp("mlir"))


def missing_mlir_packages() -> str | None:
    """What to install before the MLIR example can be built, or None."""
    directory = Path(os.environ.get("MLIR_DIR", "/usr/lib/llvm-19/lib/cmake/mlir"))
    needed = [
        directory / "MLIRConfig.cmake",
        *(directory.parents[2] / "bin" / name for name in ("FileCheck", "mlir-tblgen")),
    ]
    absent = [str(path) for path in needed if not path.exists()]
    if not absent:
        return None
    return f"no {', '.join(absent)}: apt-get install libmlir-19-dev mlir-19-tools llvm-19-dev llvm-19-tools"
