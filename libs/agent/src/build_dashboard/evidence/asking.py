"""Asking git and other tools, each with a limit: what cannot be known is None."""

import os

from build_dashboard.git import GitFailed, git_environment, run_git
from build_dashboard.programs import ProgramFailed, run_program

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
        # A tool may be a wrapper that asks git where it is.
        environment = git_environment(os.environ)
        return run_program(command, cwd=cwd, environment=environment, limit_seconds=limit_seconds).strip()
    except ProgramFailed:
        return None
