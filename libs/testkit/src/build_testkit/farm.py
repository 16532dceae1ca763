"""A farm: one project built in many configurations, commit by commit, with the breaks that such a project has.

One commit breaks every configuration of a target, another all of a sanitizer, a few builds flake or run out of time,
and the newest commit is being built now. Times lie in the past by the agent's clock, as they would after weeks of it.
"""

import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from build_protocol.ids import new_build_id

from build_testkit.reporting import Records, report, totals_of
from build_testkit.stack import Stack, wait_until

COMPILERS = ("clang", "gcc", "msvc")
MODES = ("release", "debug", "assertions", "asan", "ubsan", "tsan", "lto", "shared")
TARGETS = ("x86_64", "aarch64", "riscv64", "ppc64le", "s390x", "amdgpu", "nvptx", "armv7", "loongarch64")
BROKEN_TARGET, BROKEN_MODE = "riscv64", "ubsan"
BETWEEN_COMMITS_MS = 40 * 60_000
UPTIME_MS = 90 * 86_400_000
BOOT_ID = "0b8f3c52-6f0e-4f6a-9a55-2f9a8a1f7d10"
DIGEST_SECONDS = 900.0
AUTHORS = ("Mira Okafor", "Jonas Lindqvist", "Ana Beltran", "Tomasz Wilk", "Priya Raman", "Kenji Sato", "Lea Fontaine")
WORK = (
    "Fold transposes into their producers",
    "Lower tensor.pad through vector masks",
    "Keep debug locations in the inliner",
    "Drop the legacy pass manager's adaptor",
    "Verify memory spaces of subviews",
    "Share constant folding between dialects",
    "Bound the worklist of the greedy driver",
    "Read attribute dictionaries lazily",
    "Tile reductions by the cache line",
    "Teach the scheduler about shared memory banks",
)
LINES = ("[1/3] Building CXX object lib/Target/Lowering.cpp.o", "[2/3] Building CXX object lib/IR/Ops.cpp.o")
LAST_LINE = "[3/3] Building CXX object lib/Support/Stream.cpp.o"
BREAKS = {
    "target": "lib/Target/Registers.cpp:{line}:18: error: no member named 'getSubRegister' in 'loom::RegisterBank'",
    "mode": "lib/IR/Verifier.cpp:{line}:9: error: call to deleted constructor of 'loom::ShadowScope'",
    "flake": "test/Runtime/stream.cpp:{line}:5: error: static assertion failed: the stream is not drained",
}


@dataclass(frozen=True)
class Farm:
    """What was built: the configurations and the commits (oldest first), and where the breaks are."""

    project: str
    configs: tuple[str, ...]
    commits: tuple[str, ...]
    breaks_target: int
    """Which commit, by its place, breaks every configuration of BROKEN_TARGET."""
    breaks_mode: int

    def of_target(self) -> tuple[str, ...]:
        """The configurations of the target that broke."""
        return tuple(config for config in self.configs if BROKEN_TARGET in config)


def farm(project: str, configs: int, commits: int) -> Farm:
    """A farm of so many configurations and commits."""
    names = [f"{compiler}-{mode}-{target}" for target, mode, compiler in product(TARGETS, MODES, COMPILERS)]
    # Spread, so that few configurations have several of each target and mode, too.
    chosen = sorted(random.Random(5).sample(names, configs))  # noqa: S311  the same ones every time
    shas = tuple(hashlib.sha1(f"{project} {n}".encode(), usedforsecurity=False).hexdigest() for n in range(commits))
    return Farm(project, tuple(chosen), shas, commits - max(2, commits // 5), commits - max(1, commits // 9))


def run_farm(stack: Stack, farm: Farm, *, is_busy: bool = True) -> None:
    """Have all of its builds stored; `is_busy`: every third configuration builds the newest commit now.

    Returns when history has all of the newest commit's results.
    """
    now_at = int(time.time() * 1000)
    clock = {"wallAt": now_at, "bootId": BOOT_ID, "uptimeMs": UPTIME_MS}
    report(stack, _builds(farm, now_at, is_busy=is_busy), clock)
    token = stack.token()

    def is_digested() -> bool:
        grid = stack.get(f"/api/history/grid?project={farm.project}&branch=main&limit=3", token)
        cells = {row["info"]["sha"]: len(row.get("cells", ())) for row in grid["rows"]}
        return cells.get(farm.commits[-1]) == len(farm.configs)

    wait_until(is_digested, DIGEST_SECONDS, f"history has all of {farm.project}", every=0.2)


@dataclass(frozen=True)
class _Plan:
    """How one build goes: `broken` names its break."""

    place: int
    config: str
    begun_at: int
    took_ms: int
    broken: str | None
    is_late: bool
    is_running: bool

    @property
    def lines(self) -> list[str]:
        if self.broken is None:
            return list(LINES)
        broken = ["FAILED: lib/Target/Registers.cpp.o", f"/usr/bin/c++ -O2 -c {self.config}.cpp"]
        caret = ["   41 |   bank.getSubRegister(index);", "      |        ^"]
        return [*LINES, *broken, BREAKS[self.broken].format(line=41), *caret, "1 error generated.", LAST_LINE]


def _builds(farm: Farm, now_at: int, *, is_busy: bool) -> Iterator[Records]:
    dice = random.Random(3)  # noqa: S311  the same farm every time
    for place in range(len(farm.commits)):
        for number, config in enumerate(farm.configs):
            took_ms = 900_000 + dice.randrange(300_000)
            broken = _break_of(farm, place, config) or ("flake" if dice.random() < 0.01 else None)
            is_late = broken is None and dice.random() < 0.004
            is_running = is_busy and place == len(farm.commits) - 1 and number % 3 == 0
            begun_at = now_at - (len(farm.commits) - place) * BETWEEN_COMMITS_MS + number * 1000
            begun_at = now_at - took_ms // 2 if is_running else begun_at
            plan = _Plan(place, config, begun_at, took_ms, broken, is_late, is_running)
            yield list(_records(farm, plan, now_at))


def _break_of(farm: Farm, place: int, config: str) -> str | None:
    if BROKEN_TARGET in config and place >= farm.breaks_target:
        return "target"
    return "mode" if BROKEN_MODE in config and place >= farm.breaks_mode else None


def _records(farm: Farm, plan: _Plan, now_at: int) -> Iterator[dict[str, Any]]:
    head = {"buildId": new_build_id(plan.begun_at), "project": farm.project}
    yield {**head, "seq": 1, "type": "BUILD_START", "timestamp": plan.begun_at, "data": _start(farm, plan, now_at)}
    log = {"firstLine": 1, "lines": plan.lines, "timesMs": [plan.begun_at + 1000]}
    yield {**head, "seq": 2, "type": "BUILD_LOG", "timestamp": plan.begun_at + 1000, "data": log}
    if plan.is_running:
        update = {"progress": 50.0, "phase": "build", "metrics": {"stepsDone": 1500, "stepsTotal": 3000}}
        yield {**head, "seq": 3, "type": "BUILD_UPDATE", "timestamp": now_at, "data": update}
        return
    status = "failed" if plan.broken else "timed_out" if plan.is_late else "succeeded"
    end = {"status": status, "exitCode": int(status != "succeeded"), "totals": totals_of(plan.lines)}
    yield {**head, "seq": 3, "type": "BUILD_COMPLETE", "timestamp": plan.begun_at + plan.took_ms, "data": end}


def _start(farm: Farm, plan: _Plan, now_at: int) -> dict[str, Any]:
    place = plan.place
    committed_at = now_at - (len(farm.commits) - place) * BETWEEN_COMMITS_MS - 600_000
    author, subject = AUTHORS[place * 5 % len(AUTHORS)], WORK[place % len(WORK)]
    commit = {
        "sha": farm.commits[place],
        "parents": [farm.commits[place - 1]] if place else [],
        "author": author,
        "committedAt": committed_at,
        "subject": subject,
    }
    return {
        "branch": "main",
        "config": plan.config,
        "commit": farm.commits[place],
        "commitSubject": subject,
        "commitAuthor": author,
        "committedAt": committed_at,
        "commits": [commit],
        "clock": {"wallAt": plan.begun_at, "bootId": BOOT_ID, "uptimeMs": UPTIME_MS - (now_at - plan.begun_at)},
    }
