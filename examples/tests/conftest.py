"""The examples as a test uses them: a private copy, and the one command that builds it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1]
BUILD_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Example:
    """A copy of one example, with a build directory beside it."""

    tree: Path
    build_directory: Path
    build_arguments: tuple[str, ...] = ()

    @property
    def build_command(self) -> list[str]:
        """What `build-dashboard run --` wraps: configure, build and test."""
        return [str(self.tree / "build.sh"), str(self.build_directory), *self.build_arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the build: cmake, ninja and lit of this Python come first, messages are plain ASCII."""
        return {**os.environ, "LC_ALL": "C", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def build(self) -> subprocess.CompletedProcess[str]:
        """Run the build command to its end; stdout and stderr arrive as one log, as on a terminal."""
        return subprocess.run(
            self.build_command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_LIMIT_SECONDS,
            check=False,
        )


def copy(name: str, directory: Path, *build_arguments: str) -> Example:
    """Copy an example without what builds left in it."""
    tree = directory / name
    shutil.copytree(EXAMPLES / name, tree, ignore=shutil.ignore_patterns("build*/", "__pycache__"))
    return Example(tree, directory / "build", build_arguments)


@pytest.fixture(scope="session")
def tensor_demo(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The tensor compiler; unoptimised, because the tests wait for every build of it."""
    return copy("tensor-demo", tmp_path_factory.mktemp("tensor"), "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG")


@pytest.fixture(scope="session")
def mlir_standalone(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The MLIR dialect; skipped where the packages are missing, which in CI is a failure."""
    missing = missing_mlir_packages()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return copy("mlir-standalone", tmp_path_factory.mktemp("mlir"), "-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DNDEBUG")


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
