"""Programs: the one way to start another program and read what it prints, within a limit."""

import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path


class ProgramFailed(RuntimeError):
    """The program is not there, took too long, or failed; its own last words, if it printed any."""


class ProgramMissing(ProgramFailed):
    """There is no such program."""


class ProgramSlow(ProgramFailed):
    """It took too long."""


def run_program(
    command: Sequence[str],
    *,
    cwd: Path | str | None,
    environment: Mapping[str, str],
    limit_seconds: float,
    pass_fds: Collection[int] = (),
) -> str:
    """What a program prints, undecodable bytes replaced. It gets nothing to read.

    Args:
        command: the program and its arguments.
        cwd: its directory; None for this process's own.
        environment: all its variables.
        limit_seconds: a program that takes longer is ended.
        pass_fds: descriptors that stay open in it.

    Raises:
        ProgramMissing: it is not there.
        ProgramSlow: it took too long.
        ProgramFailed: it failed.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_seconds,
            check=False,
            pass_fds=tuple(pass_fds),
        )
    except FileNotFoundError as error:
        raise ProgramMissing(str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise ProgramSlow(f"no answer within {limit_seconds:g} s") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise ProgramFailed(str(error)) from error
    if done.returncode:
        raise ProgramFailed(done.stderr.decode("utf-8", "replace").strip()[-500:])
    return done.stdout.decode("utf-8", "replace")
