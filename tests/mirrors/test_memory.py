"""What a mirror takes: two hundred open builds in one small process."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from build_testkit.stack import embedded_stack, wait_until
from mirrors.comparing import memory_kib, shown_builds
from mirrors.full import only_full

BUILDS = 200
LINES_PER_SECOND = 40
SECONDS = 90
LIMIT_KIB = 60 * 1024

MIRROR = f"""
import time
from build_dashboard.cli.mirror import load_lean
load_lean()
import build_dashboard.mirror.buildbot.source  # with all that a mirror of a Buildbot loads
from build_dashboard.mirror import Part, Piece, Source, SourceBuild, run

class Busy(Source):
    poll_seconds = 10.0
    began_at = int(time.time() * 1000)

    async def builds(self, open_ids, limit):
        return [
            SourceBuild(id=str(n), started_at=self.began_at, project="farm", config=f"builder-{{n}}")
            for n in range({BUILDS})
        ]

    async def parts(self, build):
        return [Part(key="1", name="build", log=build.id)]

    async def read(self, build, part, cursor):
        first = cursor or 0
        last = min(first + 1000, int((time.time() * 1000 - self.began_at) / 1000 * {LINES_PER_SECOND}))
        lines = [f"[{{n}}/4000] Building CXX object lib/a{{n}}.cpp.o" for n in range(first, last)]
        return Piece(lines, max(first, last))

    async def wait(self, seconds):
        return await super().wait(min(seconds, 1.0))

run([Busy("busy", None, ["farm"])], __import__("sys").argv[1])
"""


@only_full
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_open_builds_take_little_memory(tmp_path: Path) -> None:
    """200 builds that print 40 lines a second each, in 60 MiB: resident, with the client that asks a Buildbot."""
    with embedded_stack(tmp_path) as stack:
        command = [sys.executable, "-c", MIRROR, str(tmp_path / "spool")]
        mirror = subprocess.Popen(command, env=stack.agent_environment)
        try:
            wait_until(lambda: len(shown_builds(stack, stack.token())) == BUILDS, 60, "all builds", every=1)
            limit, most = time.monotonic() + SECONDS, 0
            while time.monotonic() < limit:
                most = max(most, memory_kib(mirror.pid))
                time.sleep(1)
            lines = sum(build["logLines"] for build in shown_builds(stack, stack.token()))
        finally:
            mirror.terminate()
            mirror.wait(30)
    print({"open builds": BUILDS, "KiB": most, "lines": lines, "seconds": SECONDS})
    assert lines > BUILDS * LINES_PER_SECOND * SECONDS / 2
    assert most <= LIMIT_KIB
