"""Asking git and other tools, each with a limit: what cannot be known is None."""

import os
import subprocess

LIMIT_SECONDS = 2.0


def git(cwd: str, *arguments: str, limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """What git prints in this directory."""
    return output(["git", *arguments], cwd, limit_seconds=limit_seconds)


def output(command: list[str], cwd: str, *, limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """What a command prints; None when it is not there, fails or takes too long."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_seconds,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
