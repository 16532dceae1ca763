"""What a master has, against what the dashboard shows of it: computed here anew, by rules written down twice."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from build_testkit.buildbot import Farm
from build_testkit.stack import Stack

STATUS = {0: "succeeded", 1: "succeeded", 2: "failed", 4: "failed", 5: "cancelled", 6: "cancelled"}
RESULT = {0: "succeeded", 1: "warnings", 2: "failed", 3: "skipped", 4: "error", 5: "cancelled", 6: "cancelled"}


@dataclass
class RunningMirror:
    """A `build-dashboard mirror buildbot` of a farm; it is killed and started at will."""

    stack: Stack
    farm: Farm
    spool: Path
    options: tuple[str, ...] = ()
    log: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.log = self.spool.with_suffix(".log")

    def start(self) -> None:
        """Start it (again)."""
        command = [sys.executable, "-m", "build_dashboard", "mirror", "buildbot", self.farm.url, "--project", "farm"]
        environment = self.stack.agent_environment
        if self.farm.login:
            environment |= {"BUILDBOT_USER": self.farm.login[0], "BUILDBOT_PASSWORD": self.farm.login[1]}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--spool", str(self.spool), *self.options], env=environment, stdout=output, stderr=output
            )

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def mirroring(stack: Stack, farm: Farm, spool: Path, *options: str) -> Iterator[RunningMirror]:
    """A mirror of the farm while the context lasts."""
    mirror = RunningMirror(stack, farm, spool, options)
    mirror.start()
    try:
        yield mirror
    finally:
        mirror.stop()


def shown_builds(stack: Stack, token: str, project: str = "farm") -> list[dict[str, Any]]:
    """All builds that the dashboard has of the project."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = stack.get(f"/api/builds?project={project}&limit=200{cursor}", token)
        items += page["items"]
        if not page.get("nextCursor"):
            return items
        cursor = f"&cursor={quote(page['nextCursor'])}"


def differences(stack: Stack, farm: Farm, build_ids: set[int] | None = None) -> list[str]:
    """Everything in which the dashboard differs from the master, in sentences; none where all of it is the same."""
    token = stack.token()
    shown: dict[str, list[dict[str, Any]]] = {}
    for build in shown_builds(stack, token):
        shown.setdefault(build["sourceUrl"], []).append(build)
    builders = {row["builderid"]: row["name"] for row in farm.get("builders")["builders"]}
    faults: list[str] = []
    rows = farm.get("builds?limit=100000")["builds"]
    for row in rows:
        if build_ids is not None and row["buildid"] not in build_ids:
            continue
        url = f"{farm.url}/#/builders/{row['builderid']}/builds/{row['number']}"
        found = shown.pop(url, [])
        if len(found) != 1:
            faults.append(f"build {row['buildid']} is shown {len(found)} times")
            continue
        wrong = _faults(stack, token, farm, row, found[0], builder=builders[row["builderid"]])
        faults += [f"build {row['buildid']}: {fault}" for fault in wrong]
    return faults + ([f"{url} is shown, and not there" for url in shown] if build_ids is None else [])


def _faults(
    stack: Stack, token: str, farm: Farm, row: dict[str, Any], build: dict[str, Any], *, builder: str
) -> list[str]:
    faults = []
    wanted = {
        "status": STATUS[row["results"]] if row["complete"] else "running",
        "config": builder,
        "startedAt": row["started_at"] * 1000,
    }
    if row["complete"]:
        wanted |= {"endedAt": row["complete_at"] * 1000, "verified": True}
    faults += [
        f"{name} is {build.get(name)}, not {value}" for name, value in wanted.items() if build.get(name) != value
    ]
    detail = stack.get(f"/api/builds/{build['id']}", token)
    text = stack.get_bytes(f"/api/builds/{build['id']}/logs?format=text", token).decode()
    steps = [step for step in farm.get(f"builds/{row['buildid']}/steps")["steps"] if step["started_at"] is not None]
    expected, sections = "", []
    for step in sorted(steps, key=lambda each: each["number"]):
        logs = sorted(farm.get(f"steps/{step['stepid']}/logs")["logs"], key=lambda each: each["logid"])
        for number, log in enumerate(logs or [None]):
            name = step["name"] if number == 0 or log is None else f"{step['name']}: {log['name']}"
            result = RESULT.get(step["results"]) if number == 0 and step["results"] is not None else None
            sections.append((name, expected.count("\n") + 1, step["started_at"] * 1000, result))
            if log is not None:
                expected += log_without_environment(farm, log)
    if text.rstrip("\n") != expected.rstrip("\n"):
        faults.append(f"its log differs: {_first_difference(text, expected)}")
    seen = [(s["name"], s["firstLine"], s.get("startedAt"), s.get("result")) for s in detail["sections"]]
    if seen != sections:
        faults.append(f"its sections are {seen}, not {sections}")
    return faults


def log_without_environment(farm: Farm, log: dict[str, Any]) -> str:
    """A log of the master, without marks of streams and without the worker's environment."""
    text = farm.log(log["logid"])
    if log["type"] != "s":
        return text
    kept, is_environment = [], False
    for line in text.split("\n")[:-1]:
        if line == "h environment:":
            is_environment = True
        elif not line.startswith("h") or line.startswith("h using PTY"):
            is_environment = False
        if not is_environment:
            kept.append(line[1:] + "\n")
    return "".join(kept)


def _first_difference(text: str, expected: str) -> str:
    got, wanted = text.split("\n"), expected.split("\n")
    place = next((n for n, (one, other) in enumerate(zip(got, wanted, strict=False)) if one != other), "end")
    near = slice(place, place + 2) if isinstance(place, int) else slice(-2, None)
    return json.dumps({"line": place, "lines": [len(got), len(wanted)], "is": got[near], "should": wanted[near]})


def memory_kib(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return os.EX_OK
