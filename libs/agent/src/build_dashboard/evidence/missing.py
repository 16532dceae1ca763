"""Missing facts: what could not be found out about a build, why, and what to do so that the next one has it. Pure."""

import re
from dataclasses import dataclass

from build_dashboard.git import GitFailed
from build_dashboard.programs import ProgramMissing, ProgramSlow

TEXT_CHARACTERS = 1000
"""The longest reason or remedy on the wire."""

GIVE = "give --commit and --branch"

_FOREIGN = re.compile(r"(?:dubious ownership in repository at|unsafe repository) \(?'(.+?)'")


@dataclass(frozen=True, slots=True)
class MissingFact:
    """One fact, named as on the wire."""

    name: str
    reason: str
    remedy: str

    def to_wire(self) -> dict[str, str]:
        """As BUILD_UPDATE carries it."""
        return {"name": self.name, "reason": _short(self.reason), "remedy": _short(self.remedy)}


def git_fault(error: GitFailed, cwd: str, *, is_in_checkout: bool) -> tuple[str, str]:
    """Why git could not say something about this directory, and what to do about it.

    Args:
        error: What git answered.
        cwd: Where it was asked.
        is_in_checkout: Whether something called `.git` lies in this directory or above it.
    """
    words = str(error)
    if isinstance(error.__cause__, ProgramMissing):
        return "git is not installed on this machine", f"install git where the build runs, or {GIVE}"
    if isinstance(error.__cause__, ProgramSlow):
        return f"{words} (the disk may be busy, or the checkout very large)", f"speed git up there, or {GIVE}"
    if "not a git repository" in words:
        return _no_repository(words, cwd, is_in_checkout=is_in_checkout)
    if foreign := _FOREIGN.search(words):
        reason = f"git does not read {foreign[1]}: it belongs to another user than the one that builds"
        command = f"git config --global --add safe.directory {foreign[1]}"
        return reason, f"run `{command}` as the user that builds, or {GIVE}"
    if "does not have any commits yet" in words:
        return "there is no commit yet", "commit before the build"
    return words, f"run `git -C {cwd} status` as the user that builds: it has to work there"


def _no_repository(words: str, cwd: str, *, is_in_checkout: bool) -> tuple[str, str]:
    if not is_in_checkout:
        return f"{cwd} is in no git checkout", f"run the build in its checkout, or {GIVE}"
    remedy = f"make the main repository of this linked worktree or submodule readable here, or {GIVE}"
    return f"the .git of {cwd} leads to no repository: {words}", remedy


def detached(commit: str | None) -> MissingFact:
    """A checkout of a commit, as CI systems make it, is on no branch."""
    at = f" at {commit[:12]}" if commit else ""
    return MissingFact("branch", f"the checkout is detached{at}: git knows no branch there", "give --branch")


def _short(text: str) -> str:
    return " ".join(text.split())[:TEXT_CHARACTERS]
