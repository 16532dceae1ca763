"""Facts that explain a build: the commit it is of, the machine and the tools it is made with, the upstream it pins.

Gathered beside the running command, each with a limit, by calling git and the tools themselves. What cannot be known
is absent. No credentials leave: URLs lose theirs, and of the environment only listed variables are sent.
"""

import os
import platform
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from build_dashboard.evidence.asking import git, output

TOOLS = ("cc", "c++", "clang", "gcc", "cmake", "ninja", "make", "ccache", "sccache", "ld.lld", "bazel", "python3")
TOOLS_SECONDS = 10.0
"""A tool that is a wrapper (cmake of PyPI) takes its time on a busy machine; nothing waits for it but late facts."""

TEXT_CHARACTERS = 500

_VARIABLES = re.compile(
    r"^(?:CC|CXX|LD|AR|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|MAKEFLAGS|CMAKE_\w+|NINJA_STATUS|CCACHE_\w+|SCCACHE_\w+|LLVM_\w+"
    r"|MLIR_\w+|CI|CI_\w+|GITHUB_(?:ACTIONS|WORKFLOW|RUN_ID|RUN_ATTEMPT|REF|REF_NAME|SHA|JOB|REPOSITORY|EVENT_NAME)"
    r"|BUILDKITE(?:_(?:BUILD_NUMBER|BRANCH|COMMIT|PIPELINE_SLUG))?|BUILDBOT_\w+|JENKINS_URL|BUILD_NUMBER|JOB_NAME"
    r"|LANG|LC_ALL|PYTHONPATH|OS|RUNNER_OS|RUNNER_ARCH)$"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|_KEY$", re.IGNORECASE)
_PINNED = re.compile(r"llvm|torch-mlir|torch_mlir|stablehlo|iree|tensorflow|xla|onnx|triton|pytorch", re.IGNORECASE)
_SHA = re.compile(r"\b[0-9a-f]{40}\b")
_REQUESTS = ("CI_MERGE_REQUEST_IID", "CHANGE_ID", "BUILDKITE_PULL_REQUEST", "GERRIT_CHANGE_NUMBER")
"""Set for pull and merge requests by GitLab, Jenkins, Buildkite and Gerrit."""

_PIN_FILES = {"build_tools/llvm_version.txt": "llvm-project", "cmake/llvm-hash.txt": "llvm-project"}


class Gathering:
    """Facts as they come in: each source works in a thread of its own; `take` gives what is new."""

    def __init__(self, sources: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
        self._facts: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.known: dict[str, Any] = {}
        self._threads: dict[str, threading.Thread] = {}
        for name, source in sources.items():
            self.add(name, source)

    def add(self, name: str, source: Callable[[], Mapping[str, Any]]) -> None:
        """Gather from this source too."""
        thread = threading.Thread(target=self._gather, args=(source,), name=f"facts-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def wait(self, seconds: float, names: Collection[str] = ()) -> None:
        """Wait until all is known (or what these sources know), at most this long."""
        deadline = time.monotonic() + seconds
        for name, thread in list(self._threads.items()):
            if not names or name in names:
                thread.join(max(0.0, deadline - time.monotonic()))

    def wait_for(self, name: str) -> Mapping[str, Any]:
        """What is known once this source is done."""
        self._threads[name].join()
        return self.known

    def is_done(self, names: Collection[str]) -> bool:
        """Whether nothing more will come from these sources."""
        return not any(thread.is_alive() for name, thread in list(self._threads.items()) if name in names)

    def take(self) -> dict[str, Any]:
        """What became known since the last time."""
        with self._lock:
            taken, self._facts = self._facts, {}
        return taken

    def _gather(self, source: Callable[[], Mapping[str, Any]]) -> None:
        # An empty range of commits is a fact; other empty facts are none.
        found = {name: value for name, value in source().items() if value is not None}
        facts = {name: value for name, value in found.items() if name == "commits" or value not in ({}, [])}
        with self._lock:
            self._facts.update(facts)
            self.known.update(facts)


def gather(cwd: str, environment: Mapping[str, str]) -> Gathering:
    """Begin to gather what can be known in this directory."""
    return Gathering({"git": lambda: git_facts(cwd), "tools": lambda: {"tools": tool_versions(environment)}})


def origin_of(known: Mapping[str, Any], environment: Mapping[str, str], *, is_terminal: bool) -> str:
    """Whose build it is, where no option names it: a pull request's, or that of a person who tries out a change."""
    if any(environment.get(name, "false") not in ("", "false", "0") for name in _REQUESTS):
        return "premerge"
    if environment.get("GITHUB_EVENT_NAME", "").startswith(("pull_request", "merge_group")):
        return "premerge"
    # Unknown counts as dirty: a person's build shown as the branch's colour is the worse mistake.
    is_mine = is_terminal and not environment.get("CI") and ("commit" not in known or known.get("dirty", True))
    return "local" if is_mine else "ci"


def host_facts() -> dict[str, Any]:
    """This machine."""
    return {
        "name": platform.node()[:TEXT_CHARACTERS] or "unknown",
        "os": f"{platform.system()} {platform.release()}"[:TEXT_CHARACTERS],
        "arch": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memoryBytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
    }


def environment_facts(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that explain a build."""
    listed = [name for name in sorted(environment) if _VARIABLES.match(name) and not _SECRET.search(name)]
    return {name: environment[name][:TEXT_CHARACTERS] for name in listed[:64]}


def git_facts(cwd: str) -> dict[str, Any]:
    """Commit, branch, dirt, submodules and pins of the checkout around a directory; nothing outside of one."""
    top = git(cwd, "rev-parse", "--show-toplevel")
    if not top:
        return {}
    commit, committed, author, subject = _last_commit(cwd)
    branch = git(cwd, "symbolic-ref", "--short", "-q", "HEAD") or os.environ.get("GITHUB_REF_NAME")
    submodules = _submodules(top)
    status = git(cwd, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
    return {
        "commit": commit,
        "committedAt": committed,
        "commitAuthor": author,
        "commitSubject": subject,
        "branch": branch,
        "dirty": bool(status) if status is not None else None,
        "repository": without_credentials(git(cwd, "config", "--get", "remote.origin.url")),
        "submodules": submodules[:64],
        "pins": _pins(top, submodules)[:32],
    }


def tool_versions(environment: Mapping[str, str]) -> dict[str, str]:
    """Versions of the tools a build may use, as the first line they print; asked side by side."""
    versions: dict[str, str] = {}
    names = dict.fromkeys([*TOOLS, *filter(None, (environment.get("CC"), environment.get("CXX")))])

    def ask(name: str) -> None:
        line = (output([name, "--version"], ".", limit_seconds=TOOLS_SECONDS) or "").partition("\n")[0].strip()
        if line:
            versions[name[:TEXT_CHARACTERS]] = line[:TEXT_CHARACTERS]

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TOOLS_SECONDS)
    return {name: versions[name] for name in names if name in versions}


def without_credentials(url: str | None) -> str | None:
    """The address of a repository, without user and password."""
    if not url:
        return None
    if "://" not in url:
        return url[:TEXT_CHARACTERS]
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))[:TEXT_CHARACTERS]


def _last_commit(cwd: str) -> tuple[str | None, int | None, str | None, str | None]:
    fields = (git(cwd, "log", "-1", "--format=%H%n%ct%n%an%n%s") or "").split("\n", 3)
    if len(fields) < 4:
        return None, None, None, None
    return fields[0], int(fields[1]) * 1000, fields[2][:TEXT_CHARACTERS], fields[3][:TEXT_CHARACTERS]


def _submodules(top: str) -> list[dict[str, str]]:
    """Paths and commits in the tree, without asking each submodule."""
    if not (Path(top) / ".gitmodules").exists():
        return []
    paths = git(top, "config", "--file", ".gitmodules", "--get-regexp", r"\.path$") or ""
    names = [line.partition(" ")[2] for line in paths.splitlines()]
    listed = git(top, "ls-tree", "HEAD", "--", *names) or ""
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
