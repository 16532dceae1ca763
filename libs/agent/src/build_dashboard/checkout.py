"""A checkout: one project's clone in its `build_dir`, brought to the commit that is to be built."""

import os
import re
import subprocess
from pathlib import Path

CLONE_SECONDS = 3600.0
ASK_SECONDS = 60.0

_SIBLING = re.compile(r"\.\./(\w[\w.+-]*)")


class CheckoutError(RuntimeError):
    """git could not do what was asked; carries its own words."""


class Checkout:
    """A clone of `repo_url`.

    Commands run in it. A command that reaches for one of its directories through `../` (`cmake ../llvm`) runs in its
    subdirectory `build` instead: so the usual ways to write build commands both work.
    """

    def __init__(self, repo_url: str, path: Path) -> None:
        self.repo_url = repo_url
        self.path = path

    def head(self, branch: str | None) -> tuple[str, str]:
        """The branch (the remote's default where None) and the commit it is at now, without fetching.

        Raises:
            CheckoutError: the remote does not answer, or has no such branch.
        """
        if branch is None:
            told = _git(None, "ls-remote", "--symref", self.repo_url, "HEAD")
            symbolic = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", told, re.MULTILINE)
            branch = symbolic[1] if symbolic else "HEAD"
        told = _git(None, "ls-remote", self.repo_url, branch if branch == "HEAD" else f"refs/heads/{branch}")
        if not told:
            raise CheckoutError(f"{self.repo_url} has no branch {branch}")
        return branch, told.split()[0]

    def move_to(self, commit: str) -> None:
        """Have exactly this commit checked out, with its submodules; what was built before stays.

        Raises:
            CheckoutError: git failed.
        """
        if not (self.path / ".git").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            _git(self.path, "init", "--quiet")
            _git(self.path, "remote", "add", "origin", self.repo_url)
        _git(self.path, "remote", "set-url", "origin", self.repo_url)
        try:
            _git(self.path, "cat-file", "-e", f"{commit}^{{commit}}")
        except CheckoutError:
            _git(self.path, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
        _git(self.path, "checkout", "--quiet", "--force", "--detach", commit)
        if (self.path / ".gitmodules").exists():
            _git(self.path, "submodule", "update", "--init", "--recursive", "--quiet")

    def working_directory(self, command: str) -> Path:
        """Where this command is to run; made where missing."""
        reached = (self.path / name for name in _SIBLING.findall(command))
        place = self.path / "build" if any(path.is_dir() for path in reached) else self.path
        place.mkdir(parents=True, exist_ok=True)
        return place


def _git(cwd: Path | None, *arguments: str) -> str:
    seconds = ASK_SECONDS if cwd is None else CLONE_SECONDS
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CheckoutError(f"git {arguments[0]}: {error}") from error
    if done.returncode:
        raise CheckoutError(f"git {arguments[0]}: {done.stderr.decode('utf-8', 'replace').strip()[-500:]}")
    return done.stdout.decode("utf-8", "replace")
