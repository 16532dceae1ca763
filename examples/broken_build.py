"""Broken builds: run an example's `build.sh` with the compiler, the settings and the limits that a breakage names."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from breakage import Breakage, Limits

LIMIT_SECONDS = 600
DRIVERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++")}
MEGABYTE = 1 << 20

# Everything that runs inside sees the small file system; outside there is none.
_ON_SMALL_DISK = 'mount -t tmpfs -o size="$1"m loom "$2" && shift 2 && exec "$@"'


class CannotBreakHere(RuntimeError):
    """This machine cannot show the breakage: a tool or a right is missing."""


@dataclass(frozen=True)
class BrokenBuild:
    """One tree, one compiler, and where it is built; a plain build in the same place is what breakages start from."""

    tree: Path
    directory: Path
    compiler: str = "gcc"
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The plain build: configure, build and test."""
        return [str(self.tree / "build.sh"), str(self.directory), *self.arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the plain build: cmake, ninja and lit of this Python come first, messages are ASCII.

        Raises:
            CannotBreakHere: the compiler is not installed.
        """
        c, cxx = DRIVERS[self.compiler]
        if shutil.which(cxx) is None:
            raise CannotBreakHere(f"there is no {cxx}")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "CC": c, "CXX": cxx, "LC_ALL": "C", "PATH": path}

    def run(self, breakage: Breakage | None = None) -> tuple[int, str]:
        """Build the tree as it stands; its exit code and its log, stdout and stderr as on a terminal.

        Raises:
            CannotBreakHere: the machine lacks the compiler, or what the breakage needs.
        """
        command, environment = self.command, self.environment
        if breakage is not None:
            if absent := [need for need in breakage.needs if not _is_there(need, environment)]:
                raise CannotBreakHere(f"there is no {', '.join(absent)}")
            directory = self.directory_of(breakage)
            directory.mkdir(parents=True, exist_ok=True)
            command = [*self.command[:1], str(directory), *self.arguments, *breakage.configure]
            command = _limited(command, breakage.limits, directory)
            environment |= breakage.environment
        result = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return result.returncode, result.stdout.decode("utf-8", "replace")

    def directory_of(self, breakage: Breakage | None) -> Path:
        """Where the breakage is built: beside the plain build when its settings differ from it."""
        if breakage is None or not (breakage.configure or breakage.limits.disk_mb):
            return self.directory
        return self.directory.with_name(f"{self.directory.name}-{breakage.name}")


def _limited(command: list[str], limits: Limits, directory: Path) -> list[str]:
    amounts = {
        "--as": limits.address_space_mb and limits.address_space_mb * MEGABYTE,
        "--cpu": limits.cpu_seconds,
        "--fsize": limits.file_size_mb and limits.file_size_mb * MEGABYTE,
    }
    given = [f"{option}={amount}" for option, amount in amounts.items() if amount]
    if given:
        if shutil.which("prlimit") is None:
            raise CannotBreakHere("there is no prlimit (util-linux)")
        command = ["prlimit", *given, *command]
    if limits.disk_mb:
        private = ["unshare", "--mount", "--map-root-user", "sh", "-c", _ON_SMALL_DISK, "sh"]
        place = [str(limits.disk_mb), str(directory)]
        if shutil.which("unshare") is None or subprocess.run([*private, *place, "true"], check=False).returncode:
            raise CannotBreakHere("a private file system cannot be mounted (user namespaces)")
        command = [*private, *place, *command]
    return command


def _is_there(need: str, environment: Mapping[str, str]) -> bool:
    """A file by its path; a program by its name, if it runs: a shim may stand for what was never installed."""
    if "/" in need:
        return Path(need).exists()
    program = shutil.which(need, path=environment["PATH"])
    return (
        program is not None and not subprocess.run([program, "--version"], capture_output=True, check=False).returncode
    )
