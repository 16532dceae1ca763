"""A checkout: one project's clone in its `build_dir`, brought to the commit that is to be built."""

import fcntl
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_dashboard.git import GitFailed, run_git

CLONE_SECONDS = 3600.0
ASK_SECONDS = 60.0

COMMITS_MAX = 100
"""More new commits than this at once are a merge of something else: only the newest so many are built."""

LOCK = "build-dashboard.lock"
"""In the `.git` of every clone that a daemon made, and of those that a person handed over to it."""

_CREDENTIALS = re.compile(r"(\w+://)[^/\s@]+@")
_SIBLING = re.compile(r"\.\./(\w[\w.+-]*)")


class CheckoutError(RuntimeError):
    """A project cannot be checked out; reads as a sentence, with git's own words where it was git.

    It is shown on the dashboard: no address in it keeps user and password.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(_CREDENTIALS.sub(r"\1", " ".join(sentence.split())))


class Checkout:
    """A clone of `repo_url`.

    Commands run in it. A command that reaches for one of its directories through `../` (`cmake ../llvm`) runs in its
    subdirectory `build` instead: so the usual ways to write build commands both work.
    """

    def __init__(self, repo_url: str, path: Path) -> None:
        self.repo_url = repo_url
        self.path = path
        self._lock_fd: int | None = None

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Have the directory to oneself: waits for whoever else builds in it, in this process or another.

        Raises:
            CheckoutError: another repository is there, or git failed.
        """
        git_directory = self.path / ".git"
        self._refuse_foreign(git_directory)
        git_directory.mkdir(parents=True, exist_ok=True)
        fd = os.open(git_directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            self._lock_fd = fd
            if not (git_directory / "HEAD").exists():
                # Looks for no repository around: it makes one where it stands.
                self._run(self.path, "init", "--quiet")
            yield
        finally:
            self._lock_fd = None
            os.close(fd)

    def head(self, branch: str | None) -> tuple[str, str]:
        """The branch (the remote's default where None) and the commit it is at now, without fetching.

        Raises:
            CheckoutError: the remote does not answer, or has no such branch.
        """
        if branch is None:
            answer = self._ask("--symref", self.repo_url, "HEAD")
            symbolic = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", answer, re.MULTILINE)
            branch = symbolic[1] if symbolic else "HEAD"
        answer = self._ask(self.repo_url, branch if branch == "HEAD" else f"refs/heads/{branch}")
        if not answer:
            raise CheckoutError(f"{self.repo_url} has no branch {branch}")
        return branch, answer.split()[0]

    def since(self, built: str, head: str) -> list[str]:
        """The commits after `built` up to `head`, oldest first, merges as one; only `head` where history was rewritten.

        Raises:
            CheckoutError: the remote does not answer.
        """
        with self.reserved():
            self._fetch(head)
            try:
                self._git("merge-base", "--is-ancestor", built, head)
            except CheckoutError:
                return [head]
            return self._git("rev-list", "--first-parent", "--reverse", f"{built}..{head}").split()[-COMMITS_MAX:]

    def move_to(self, commit: str, *, clean: bool = False) -> str:
        """Have exactly this commit checked out, with its submodules; its full name.

        What was built before stays, unless `clean`. Only while `reserved`.

        Raises:
            CheckoutError: git failed.
        """
        # Left by a git that was killed: whoever still works here holds the reservation.
        (self.path / ".git" / "index.lock").unlink(missing_ok=True)
        self._fetch(commit)
        self._git("checkout", "--quiet", "--force", "--detach", commit)
        if (self.path / ".gitmodules").exists():
            self._git("submodule", "sync", "--recursive", "--quiet")
            self._git("submodule", "update", "--init", "--recursive", "--force", "--quiet")
        if clean:
            self._git("clean", "-ffdxq")
            self._git("submodule", "--quiet", "foreach", "--recursive", "git clean -ffdxq")
        return self._git("rev-parse", "HEAD").strip()

    def working_directory(self, command: str) -> Path:
        """Where this command is to run; made where missing."""
        reached = (self.path / name for name in _SIBLING.findall(command))
        place = self.path / "build" if any(path.is_dir() for path in reached) else self.path
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _fetch(self, commit: str) -> None:
        """Have this commit, without asking anybody where it is here already."""
        self._git("config", "remote.origin.url", self.repo_url)
        if self._has(commit):
            return
        everything = ("origin", "+refs/heads/*:refs/remotes/origin/*")
        # Submodules are brought by their own update, which knows where they are now.
        self._git("fetch", "--quiet", "--tags", "--force", "--no-recurse-submodules", *everything)
        if not self._has(commit):
            # On no branch, as those of a pull request: many servers hand it out by its full name.
            self._git("fetch", "--quiet", "--no-recurse-submodules", "origin", commit)

    def _has(self, commit: str) -> bool:
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except CheckoutError:
            return False
        return True

    def _refuse_foreign(self, git_directory: Path) -> None:
        """Leave alone what no daemon made: files would be overwritten, a checkout moved, its origin renamed."""
        if (git_directory / LOCK).exists() and not git_directory.is_symlink():
            return
        is_linked = git_directory.is_symlink() or git_directory.is_file()
        is_begun = git_directory.is_dir() and not is_linked and not any(git_directory.iterdir())
        there = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        if is_linked or there - ({".git"} if is_begun else set()):
            place, mark = shlex.quote(str(git_directory)), shlex.quote(str(git_directory / LOCK))
            hand_over = "" if is_linked else f", or hand this one over with `mkdir -p {place}; touch {mark}`"
            raise CheckoutError(
                f"build_dir {self.path} is not empty and was not made by this agent, which would overwrite what is"
                f" there: choose another build_dir in config.yaml{hand_over}"
            )

    def _ask(self, *arguments: str) -> str:
        """What `ls-remote` prints."""
        return self._run(None, "ls-remote", *arguments, limit_seconds=ASK_SECONDS)

    def _git(self, *arguments: str) -> str:
        # Named, not looked for: a clone that is broken must not make git find the repository around it.
        options = (f"--git-dir={self.path / '.git'}", f"--work-tree={self.path}")
        return self._run(self.path, *arguments, options=options)

    def _run(
        self, cwd: Path | None, *arguments: str, limit_seconds: float = CLONE_SECONDS, options: tuple[str, ...] = ()
    ) -> str:
        try:
            return run_git(
                cwd,
                *arguments,
                limit_seconds=limit_seconds,
                # Housekeeping in the background would hold the reservation of a directory that is free.
                options=("-c", "gc.autoDetach=false", *options),
                # A git that outlives a killed daemon keeps the directory reserved until it is done.
                pass_fds=() if self._lock_fd is None else (self._lock_fd,),
            )
        except GitFailed as error:
            raise CheckoutError(str(error)) from error
