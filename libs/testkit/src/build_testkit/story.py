"""A story for pages to show: a project with two configs is green, breaks at one commit, stays red, and builds on.

The builds are shell scripts that print what compilers print, so that a page has something to show within seconds.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_testkit.repository import Repository
from build_testkit.stack import Stack, wait_until

SECONDS = 30
PAGES = {
    "now": "/",
    "projects": "/p",
    "grid": "/p/{project}/main",
    "commits": "/c",
    "commit": "/c/{commit}",
    "search": "/search?q=error&branch=main&project={project}",
    "gates": "/gates?project={project}&branch=main",
    "pins": "/pins",
    "build": "/builds/{red}",
    "build-failures": "/builds/{red}?tab=failures",
    **{
        f"build-{tab}": f"/builds/{{green}}?tab={tab}"
        for tab in ("tests", "steps", "metrics", "artifacts", "configuration", "events")
    },
    "compare": "/builds/{red}?compare={green}",
    "failures": "/failures",
    "failure": "/failures/{signature}",
    "tests": "/tests",
    "history": "/history?project={project}",
    "agents": "/agents",
    "notifications": "/notifications",
    "operation": "/operation",
    "settings": "/settings",
}
"""Every page of the dashboard by name: its address, with gaps for what it shows."""
GREEN = (
    'for n in 1 2 3 4; do echo "[$n/4] Building CXX object lib/part$n.o"; done; echo "PASS: Story :: a.mlir (1 of 1)"'
)
RED = """
echo "[1/4] Building CXX object lib/part1.o"
echo "[2/4] Building CXX object lib/part2.o"
echo "FAILED: lib/part2.o"
echo "/usr/bin/c++ -Iinclude -O2 -c lib/part2.cpp -o lib/part2.o"
echo "lib/part2.cpp:7:12: error: no member named 'find' in 'story::Scope'"
echo "    7 |   scope.find(name);"
echo "      |         ^~~~"
echo "1 error generated."
echo "ninja: build stopped: subcommand failed."
exit 1
"""
LONG = 'n=0; while true; do n=$((n+1)); echo "[$n/100000] Building CXX object lib/part$n.o"; sleep 0.2; done'


@dataclass(frozen=True)
class Story:
    """What happened: ids of builds and commits, by what they are in the story."""

    stack: Stack
    project: str
    tree: Path
    commits: dict[str, str]
    builds: dict[str, str]

    @property
    def signature(self) -> str:
        """Of the failure everybody shares."""
        build: dict[str, Any] = self.stack.get(f"/api/builds/{self.builds['red']}")
        return str(build["firstFailure"]["signature"])

    def address(self, page: str) -> str:
        """Where a page of PAGES has something on it."""
        commit = self.commits["breaks"]
        return PAGES[page].format(project=self.project, commit=commit, signature=self.signature, **self.builds)


def play(stack: Stack, directory: Path, project: str = "story") -> Story:
    """Run the story's builds; returns when all are verified and history has filed them."""
    tree = Repository(directory / project).create()
    commits: dict[str, str] = {}
    builds: dict[str, str] = {}
    for name, subject, script in (
        ("imports", "Import the story", GREEN),
        ("breaks", "Rename a method of the scope", RED),
        ("goes-on", "Write the next chapter", RED),
    ):
        commits[name] = tree.commit(subject)
        for config in ("release", "asan"):
            newest = _build(stack, tree.path, project, config, script)
            builds.setdefault("green" if script == GREEN else "red", newest)
    token = stack.token()
    wait_until(
        lambda: len(_incident_configs(stack, project, token)) == 2, SECONDS, "one incident of two configs", every=0.1
    )
    return Story(stack, project, tree.path, commits, builds)


@contextmanager
def going_on(story: Story, script: str = LONG) -> Iterator[str]:
    """A build of the story that runs while the context lasts; gives its id."""
    before = {build["id"] for build in _builds(story.stack, story.project)}
    agent = subprocess.Popen(
        story.stack.agent_command(story.project, "sh", "-c", script, options=("--config-name", "docs")),
        cwd=story.tree,
        env=story.stack.agent_environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield wait_until(
            lambda: next((b["id"] for b in _builds(story.stack, story.project) if b["id"] not in before), None),
            SECONDS,
            "the running build is listed",
        )
    finally:
        if agent.poll() is None:
            agent.terminate()
        agent.wait(SECONDS)


def _build(stack: Stack, tree: Path, project: str, config: str, script: str) -> str:
    subprocess.run(
        stack.agent_command(project, "sh", "-c", script, options=("--config-name", config, "--origin", "ci")),
        cwd=tree,
        env=stack.agent_environment,
        stdout=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )
    return str(_builds(stack, project)[0]["id"])


def _builds(stack: Stack, project: str) -> list[dict[str, Any]]:
    builds: list[dict[str, Any]] = stack.get(f"/api/builds?project={project}")["items"]
    return builds


def _incident_configs(stack: Stack, project: str, token: str) -> list[str]:
    incidents = stack.get(f"/api/incidents?project={project}&state=open", token)["items"]
    return sorted(config for incident in incidents for config in incident["configs"])
