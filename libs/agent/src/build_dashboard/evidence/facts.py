"""Facts that explain a build: the commit it is of, the machine and the tools it is made with, the upstream it pins.

Gathered beside the running command, each with a limit, by calling git and the tools themselves. What cannot be known
is absent, and where a person can change that it is listed as a missing fact. No credentials leave: URLs lose theirs,
and of the environment only listed variables are sent.
"""

import os
import platform
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from build_dashboard.evidence.checkout_facts import TEXT_CHARACTERS, git_facts
from build_dashboard.evidence.known_tools import KnownTools
from build_dashboard.evidence.missing import MissingFact
from build_dashboard.git import git_environment
from build_dashboard.programs import ProgramFailed, ProgramSlow, run_program
from build_dashboard.redaction.names import is_secret_name

TOOLS = ("cc", "c++", "clang", "gcc", "cmake", "ninja", "make", "ccache", "sccache", "ld.lld", "bazel", "python3")
TOOLS_SECONDS = 10.0
"""A tool that is a wrapper (cmake of PyPI) takes its time on a busy machine; nothing waits for it but late facts."""

_VARIABLES = re.compile(
    r"^(?:CC|CXX|LD|AR|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|MAKEFLAGS|CMAKE_\w+|NINJA_STATUS|CCACHE_\w+|SCCACHE_\w+|LLVM_\w+"
    r"|MLIR_\w+|CI|CI_\w+|GITHUB_(?:ACTIONS|WORKFLOW|RUN_ID|RUN_ATTEMPT|REF|REF_NAME|SHA|JOB|REPOSITORY|EVENT_NAME)"
    r"|BUILDKITE(?:_(?:BUILD_NUMBER|BRANCH|COMMIT|PIPELINE_SLUG))?|BUILDBOT_\w+|JENKINS_URL|BUILD_NUMBER|JOB_NAME"
    r"|LANG|LC_ALL|WS_REGION|PYTHONPATH|OS|RUNNER_OS|RUNNER_ARCH)$"
)
_REQUESTS = ("CI_MERGE_REQUEST_IID", "CHANGE_ID", "BUILDKITE_PULL_REQUEST", "GERRIT_CHANGE_NUMBER")
"""Set for pull and merge requests by GitLab, Jenkins, Buildkite and Gerrit."""


class Gathering:
    """Facts as they come in: each source works in a thread of its own; `take` gives what is new."""

    def __init__(self, sources: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
        self._facts: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._missing: list[MissingFact] = []
        self._has_news_of_missing = False
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

    def take_missing(self, given: Collection[str]) -> list[dict[str, str]] | None:
        """All that is missing so far, but for facts that were given; None when that has not changed."""
        with self._lock:
            if not self._has_news_of_missing:
                return None
            self._has_news_of_missing = False
            return [fact.to_wire() for fact in self._missing if fact.name not in given] or None

    def _gather(self, source: Callable[[], Mapping[str, Any]]) -> None:
        # An empty range of commits is a fact; other empty facts are none.
        answer = dict(source())
        missing = answer.pop("missing", ())
        found = {name: value for name, value in answer.items() if value is not None}
        facts = {name: value for name, value in found.items() if name == "commits" or value not in ({}, [])}
        with self._lock:
            self._facts.update(facts)
            self._missing += missing
            self._has_news_of_missing = self._has_news_of_missing or bool(missing)
            self.known.update(facts)


def gather(cwd: str, environment: Mapping[str, str]) -> Gathering:
    """Begin to gather what can be known in this directory."""
    known = KnownTools.of(environment)
    return Gathering({"git": lambda: git_facts(cwd), "tools": lambda: tool_versions(environment, known)})


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
    listed = [name for name in sorted(environment) if _VARIABLES.match(name) and not is_secret_name(name)]
    return {name: environment[name][:TEXT_CHARACTERS] for name in listed[:64]}


def tool_versions(environment: Mapping[str, str], known: KnownTools) -> dict[str, Any]:
    """Versions of the tools a build may use, as the first line they print; asked side by side."""
    versions: dict[str, str] = {}
    slow: set[str] = set()
    names = dict.fromkeys([*TOOLS, *filter(None, (environment.get("CC"), environment.get("CXX")))])

    def ask(name: str, identity: str) -> None:
        try:
            printed = run_program(
                # A tool may be a wrapper that asks git where it is.
                [name, "--version"],
                cwd=".",
                environment=git_environment(os.environ),
                limit_seconds=TOOLS_SECONDS,
            )
        except ProgramSlow:
            slow.add(name)
        except ProgramFailed:
            pass  # not installed, or none that has a version
        else:
            if line := printed.strip().partition("\n")[0].strip():
                versions[name] = line[:TEXT_CHARACTERS]
                known.keep(identity, versions[name])

    found = {name: known.find(name, environment) for name in names}
    versions |= {name: version for name, (_, version) in found.items() if version is not None}
    threads = {
        name: threading.Thread(target=ask, args=(name, identity), daemon=True)
        for name, (identity, version) in found.items()
        if version is None
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + TOOLS_SECONDS
    for name, thread in threads.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            slow.add(name)
    known.save()
    reason = f"{', '.join(sorted(slow))} did not say a version within {TOOLS_SECONDS:g} s"
    missing = [MissingFact("tools", reason, "run them with --version where the build runs: they may hang")]
    return {
        "tools": {name[:TEXT_CHARACTERS]: versions[name] for name in names if name in versions},
        "missing": missing if slow else [],
    }
