"""Git: the one place that starts it, in a repository that its working directory alone decides.

Whoever starts the agent may stand in a git hook or have variables of git exported for another repository. With them
git would read, or reset, that other repository, whatever directory it runs in.
"""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from build_dashboard.programs import ProgramFailed, run_program

_KEPT = re.compile(r"GIT_(?:SSH\w*|ASKPASS|SSL_\w+|HTTP_\w+|PROXY_\w+|ALLOW_PROTOCOL|PROTOCOL_FROM_USER|EXEC_PATH)")
"""How a remote is reached and where git is installed. Every other GIT_ variable moves a repository's places
(`git rev-parse --local-env-vars`), changes what git does or prints, or is configuration meant for another call."""


class GitFailed(RuntimeError):
    """git could not do what was asked; reads as a sentence with git's own words."""


def git_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a git of ours.

    The build command keeps the caller's environment: this is for what the agent itself starts.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("GIT_") or _KEPT.fullmatch(name)}
    # Nobody is there to be asked, and looking must not lock what a person works in.
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def run_git(
    cwd: Path | str | None,
    *arguments: str,
    limit_seconds: float,
    options: Collection[str] = (),
    pass_fds: Collection[int] = (),
) -> str:
    """What git prints in this directory, undecodable bytes replaced.

    Args:
        cwd: the directory; None for a question that needs no repository.
        arguments: the command and what follows it.
        limit_seconds: a git that takes longer is ended.
        options: of git itself, before the command.
        pass_fds: descriptors that stay open in git.

    Raises:
        GitFailed: git is not there, took too long, or failed.
    """
    command = ["git", *options, *arguments]
    environment = git_environment(os.environ)
    try:
        return run_program(command, cwd=cwd, environment=environment, limit_seconds=limit_seconds, pass_fds=pass_fds)
    except ProgramFailed as error:
        raise GitFailed(f"git {arguments[0]}: {error}") from error
