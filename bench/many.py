"""Many builds: reported to a running system over one agent's socket, as if a busy year had passed."""

import hashlib
import time
from collections.abc import Iterator
from typing import Any

from build_protocol.ids import new_build_id
from build_testkit.reporting import report, totals_of
from build_testkit.stack import Stack

CONFIGS = ("release", "asan", "windows-gcc", "debug")
LINES = ["[1/2] Building CXX object lib/a.o", "[2/2] Linking CXX executable bin/opt"]
ERROR = ["FAILED: lib/a.o", "lib/a.cpp:7:12: error: no member named 'find' in 'Scope'", "1 error generated."]


def report_builds(stack: Stack, count: int, projects: int = 10) -> None:
    """Have `count` finished builds of `projects` projects stored and verified; every twentieth is red."""
    now = int(time.time() * 1000)
    report(stack, (list(_records(number, projects, now - (count - number) * 1000)) for number in range(count)))


def _records(number: int, projects: int, begin_at: int) -> Iterator[dict[str, Any]]:
    is_red = number % 20 == 19
    lines = [*LINES[:1], *ERROR] if is_red else LINES
    head = {"buildId": new_build_id(begin_at), "project": f"project-{number % projects}"}
    commit = hashlib.sha1(str(number // (projects * len(CONFIGS))).encode()).hexdigest()
    start = {
        "branch": "main",
        "config": CONFIGS[number // projects % len(CONFIGS)],
        "commit": commit,
        "commitSubject": f"Change number {number}",
    }
    end = {"status": "failed" if is_red else "succeeded", "exitCode": int(is_red), "totals": totals_of(lines)}
    yield {**head, "seq": 1, "type": "BUILD_START", "timestamp": begin_at, "data": start}
    yield {**head, "seq": 2, "type": "BUILD_LOG", "timestamp": begin_at, "data": {"firstLine": 1, "lines": lines}}
    yield {**head, "seq": 3, "type": "BUILD_COMPLETE", "timestamp": begin_at + 900, "data": end}
