"""The past of a CI: red builds become history, and nobody is notified, while what runs is shown at once.

A thousand of them with FULL=1; a few of them always.
"""

import asyncio
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from build_analysis.cli import analyze
from build_dashboard.endpoint import Endpoint
from build_dashboard.mirror import Mirror, Part, Piece, Source, SourceBuild
from build_testkit.stack import embedded_stack, wait_until
from mirrors.full import FULL

BUILDS = 1000 if FULL else 60
DAY_MS = 86_400_000
RED = [
    "[1/3] Building CXX object lib/a.cpp.o",
    "FAILED: lib/a.cpp.o",
    "/src/lib/a.cpp:7:3: error: no member named 'fold' in 'mlir::Op'",
    "ninja: build stopped: subcommand failed.",
]


class OldFarm(Source):
    """So many builds that failed in the last nine days, one that prints the time, and one that cannot be read."""

    poll_seconds = 0.3

    def __init__(self) -> None:
        super().__init__("old-farm", None, ["farm"])
        self.now = int(time.time() * 1000)
        self.given = 0
        self.printed: list[str] = []

    async def builds(self, open_ids: Collection[str], limit: int) -> Sequence[SourceBuild]:
        """The next of the past, and the one that runs."""
        first, self.given = self.given, min(BUILDS, self.given + limit)
        self.has_more = self.given < BUILDS
        live = SourceBuild(id="live", started_at=self.now, project="farm", config="live", branch="main")
        odd = SourceBuild(id="odd", started_at=self.now, project="farm", config="odd")
        return [odd, live, *(self._old(number) for number in range(first, self.given))]

    async def parts(self, build: SourceBuild) -> Sequence[Part]:
        """One step; of one build nobody can make sense."""
        if build.id == "odd":
            raise KeyError("an answer that this release does not know")
        return [Part(key="1", name="build", log=build.id, is_over=build.result is not None)]

    async def read(self, build: SourceBuild, part: Part, cursor: Any) -> Piece:
        """Its lines."""
        if build.id != "live":
            return Piece(RED, 1, is_over=True)
        self.printed.append(f"at {time.monotonic()}")
        return Piece(self.printed[-1:], len(self.printed))

    def _old(self, number: int) -> SourceBuild:
        began_at = self.now - 9 * DAY_MS + number * (7 * DAY_MS // BUILDS)
        return SourceBuild(
            id=f"old-{number}",
            started_at=began_at,
            ended_at=began_at + 60_000,
            result="failed",
            project="farm",
            config=f"config-{number % 20}",
            branch="main",
        )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_past_notifies_nobody_and_keeps_nothing_waiting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Old red builds keep their times, mail nobody and open nothing; a running build is current meanwhile."""
    config = tmp_path / "config.yaml"
    config.write_text("projects: {farm: {notification_emails: [ada@example.org]}}\n")
    with embedded_stack(tmp_path, {"BUILD_DASHBOARD_CONFIG": str(config)}) as stack:
        farm = OldFarm()
        loop = asyncio.new_event_loop()
        endpoint = Endpoint(stack.url.replace("http", "ws") + "/ws", stack.api_key)
        mirror = Mirror([farm], endpoint, tmp_path / "spool")
        thread = threading.Thread(target=loop.run_until_complete, args=(mirror.run(),))
        thread.start()
        try:
            token = stack.token()
            lags: list[float] = []

            def is_all_there() -> bool:
                rows = stack.get("/api/builds?project=farm&config=live", token)["items"]
                if rows and (last := rows[0].get("lastLine") or "").startswith("at "):
                    lags.append(time.monotonic() - float(last[3:]))
                return _count(stack, token) >= BUILDS

            wait_until(is_all_there, 600, "all of the past", every=0.1)
            ids = [row["id"] for row in stack.get("/api/builds?project=farm&config=config-3&limit=1", token)["items"]]
            wait_until(lambda: stack.get(f"/api/builds/{ids[0]}/failures", token)["items"], 30, "failures", every=0.2)
        finally:
            loop.call_soon_threadsafe(mirror.close)
            thread.join(30)
            loop.close()
        wait_until(lambda: _is_history_done(stack, token), 120, "history that has all of it", every=0.2)
        assert 1 == len([each for each in caplog.messages if each.startswith("fail to record build")])
        assert [] == stack.get("/api/notifications", token)["items"]
        assert [] == stack.get("/api/incidents?withStaging=true", token)["items"]
        row = stack.get("/api/builds?project=farm&config=config-3&limit=1", token)["items"][0]
        assert (60_000, True) == (row["durationMs"], row["backfill"])
        failures = stack.get(f"/api/builds/{row['id']}/failures", token)["items"]
        (tmp_path / "red.log").write_text("\n".join(RED) + "\n")
        found = analyze(tmp_path / "red.log").failures[0]
        assert (found.message, found.first_line) == (failures[0]["message"], failures[0]["firstLine"])
        print({"builds": BUILDS, "lag p99 s": round(sorted(lags)[int(len(lags) * 0.99)], 2), "looks": len(lags)})
        # Beside other tests a machine may be busy: there it is shown that it goes on, and with FULL=1 how fast.
        assert sorted(lags)[int(len(lags) * 0.99)] < (3.0 if FULL else 60.0)


def _is_history_done(stack: Any, token: str) -> bool:
    """Whether history has counted every red build, and what followed from them was decided."""
    groups = stack.get("/api/failures?project=farm", token)["items"]
    return BUILDS <= sum(int(group["count"]) for group in groups)


def _count(stack: Any, token: str) -> int:
    rows = stack.get("/api/builds?project=farm&status=failed&limit=200", token)
    count = len(rows["items"])
    while rows.get("nextCursor"):
        rows = stack.get(f"/api/builds?project=farm&status=failed&limit=200&cursor={rows['nextCursor']}", token)
        count += len(rows["items"])
    return count
