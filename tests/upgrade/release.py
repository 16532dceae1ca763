"""Releases as they were: the sources of a commit in an environment of their own, made on first use."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 300.0


class NotThere(Exception):
    """Why a release cannot be had here."""


@dataclass(frozen=True)
class Release:
    """Something to run: its name, and the interpreter that has its packages."""

    name: str
    python: str


TODAY = Release("today", sys.executable)


def pinned() -> dict[str, str]:
    """The commits of the releases to compare with, by name."""
    listed = tomllib.loads((Path(__file__).parent / "releases.toml").read_text())["release"]
    return {str(each["name"]): str(each["commit"]) for each in listed}


def installed(name: str, commit: str) -> Release:
    """This release in the user's cache. Raises NotThere."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "build-dashboard"
    place = cache / f"release-{commit}"
    python = place / ".venv" / "bin" / "python"
    if python.exists():
        return Release(name, str(python))
    uv = shutil.which("uv")
    if uv is None:
        raise NotThere("uv is not on the PATH")
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{commit}^{{tree}}"], check=False).returncode:
        raise NotThere(f"commit {commit} is not in this clone's history: fetch all of it, `git fetch --unshallow`")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as workplace:
        sources = Path(workplace) / "sources"
        sources.mkdir()
        archive = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", sources], check=True, input=archive)
        try:
            sources.rename(place)  # an environment's packages are linked to where the sources stand
        except OSError:
            shutil.rmtree(place)  # of a run that was cut off while it installed
            sources.rename(place)
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    command = [uv, "sync", "--quiet", "--frozen", "--all-packages", "--no-dev", "--project", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=place, timeout=INSTALL_SECONDS)
    except subprocess.SubprocessError as error:
        shutil.rmtree(place)
        raise NotThere(f"{commit} cannot be installed: {error}") from error
    return Release(name, str(python))
