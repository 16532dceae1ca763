"""Asking git and other tools, each with a limit: what cannot be known is None."""

import os
import subprocess

from build_dashboard.git import GitFailed, git_environment, run_git

LIMIT_SECONDS = 2.0


def git(cwd: str, *arguments: str, limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """What git prints in this directory; None when it is not there, fails or takes too long."""
    try:
        return run_git(cwd, *arguments, limit_seconds=limit_seconds).strip()
    except GitFailed:
        return None


def output(command: list[str], cwd: str, *, limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """What a command prints; None when it is not there, fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            # A tool may be a wrapper that asks git where it is.
            env=git_environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_seconds,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
