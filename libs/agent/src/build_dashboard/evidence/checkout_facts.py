"""The facts of a checkout: commit, branch, dirt, submodules, pins. What git could not say is a missing fact."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from build_dashboard.evidence.asking import LIMIT_SECONDS
from build_dashboard.evidence.missing import MissingFact, detached, git_fault
from build_dashboard.git import GitFailed, run_git

TEXT_CHARACTERS = 500

_PINNED = re.compile(r"llvm|torch-mlir|torch_mlir|stablehlo|iree|tensorflow|xla|onnx|triton|pytorch", re.IGNORECASE)
_SHA = re.compile(r"\b[0-9a-f]{40}\b")
_PIN_FILES = {"build_tools/llvm_version.txt": "llvm-project", "cmake/llvm-hash.txt": "llvm-project"}


class _Question:
    """Asks git in one directory, and keeps why it did not answer."""

    def __init__(self, cwd: str) -> None:
        self.cwd = cwd
        self.missing: dict[str, MissingFact] = {}

    def __call__(self, name: str, *arguments: str, cwd: str | None = None) -> str | None:
        """What git prints; None where there is nothing, or it failed: then the fact of this name is missing."""
        try:
            return run_git(cwd or self.cwd, *arguments, limit_seconds=LIMIT_SECONDS).strip()
        except GitFailed as error:
            # A setting that is not there makes git fail without a word.
            if str(error.__cause__):
                self.miss(name, error)
            return None

    def miss(self, name: str, error: GitFailed) -> None:
        """This fact is missing."""
        reason, remedy = git_fault(error, self.cwd, is_in_checkout=_is_in_checkout(self.cwd))
        self.missing.setdefault(name, MissingFact(name, reason, remedy))


def git_facts(cwd: str) -> dict[str, Any]:
    """Facts of the checkout around a directory; `missing` lists those that git could not give."""
    ask = _Question(cwd)
    top = ask("commit", "rev-parse", "--show-toplevel")
    if not top:
        missing = list(ask.missing.values())
        return {"missing": [*missing, *(MissingFact("branch", each.reason, each.remedy) for each in missing)]}
    commit, committed, author, subject = _last_commit(ask)
    branch = ask("branch", "symbolic-ref", "--short", "-q", "HEAD") or os.environ.get("GITHUB_REF_NAME")
    if branch is None:
        ask.missing.setdefault("branch", detached(commit))
    submodules = _submodules(top, ask)
    status = ask("dirty", "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
    return {
        "commit": commit,
        "committedAt": committed,
        "commitAuthor": author,
        "commitSubject": subject,
        "branch": branch,
        "dirty": bool(status) if status is not None else None,
        "repository": without_credentials(ask("repository", "config", "--get", "remote.origin.url")),
        "submodules": submodules[:64],
        "pins": _pins(top, submodules)[:32],
        "missing": list(ask.missing.values()),
    }


def without_credentials(url: str | None) -> str | None:
    """The address of a repository, without user and password."""
    if not url:
        return None
    if "://" not in url:
        return url[:TEXT_CHARACTERS]
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))[:TEXT_CHARACTERS]


def _last_commit(ask: _Question) -> tuple[str | None, int | None, str | None, str | None]:
    fields = (ask("commit", "log", "-1", "--format=%H%n%ct%n%an%n%s") or "").split("\n", 3)
    if len(fields) < 4:
        return None, None, None, None
    return fields[0], int(fields[1]) * 1000, fields[2][:TEXT_CHARACTERS], fields[3][:TEXT_CHARACTERS]


def _submodules(top: str, ask: _Question) -> list[dict[str, str]]:
    """Paths and commits in the tree, without asking each submodule."""
    if not (Path(top) / ".gitmodules").exists():
        return []
    paths = ask("submodules", "config", "--file", ".gitmodules", "--get-regexp", r"\.path$", cwd=top) or ""
    names = [line.partition(" ")[2] for line in paths.splitlines()]
    listed = ask("submodules", "ls-tree", "HEAD", "--", *names, cwd=top) or ""
    return [
        {"path": path[:TEXT_CHARACTERS], "commit": meta.split()[2]}
        for meta, _, path in (line.partition("\t") for line in listed.splitlines())
        if meta.startswith("160000")
    ]


def _pins(top: str, submodules: list[dict[str, str]]) -> list[dict[str, str]]:
    pins = [
        {"name": Path(module["path"]).name, "commit": module["commit"], "source": module["path"]}
        for module in submodules
        if _PINNED.search(Path(module["path"]).name)
    ]
    for name, project in _PIN_FILES.items():
        path = Path(top) / name
        if path.is_file() and (found := _SHA.search(path.read_text(errors="replace")[:4096])):
            pins.append({"name": project, "commit": found[0], "source": name})
    return pins


def _is_in_checkout(cwd: str) -> bool:
    place = Path(cwd).absolute()
    return any(os.path.lexists(above / ".git") for above in (place, *place.parents))
