"""The large proof: a farm of 12 builders and 3 workers, 300 builds, and the death of everything on the way.

Only with FULL=1: it takes a quarter of an hour.
"""

import json
import random
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from build_testkit.buildbot import Farm
from build_testkit.rabbitmq import private_rabbitmq
from build_testkit.stack import embedded_stack, separate_stack, wait_until
from mirrors.comparing import differences, memory_kib, mirroring, shown_builds
from mirrors.full import only_full
from mirrors.lag import LagMeter

pytestmark = [pytest.mark.slow, only_full]

BUILDERS = tuple(
    f"mlir-{name}"
    for name in ["release", "asan", "tsan", "ubsan", "arm", "gpu", "win", "mac", "flang", "lld", "nightly", "docs"]
)
BUILDS = 300
STAMPS = "import time\nfor i in range({lines}):\n    print('stamp', i, flush=True); time.sleep({pause})"
SHORT = "import time\nfor i in range({lines}): print(f'[{{i + 1}}/{lines}] Building CXX a{{i}}.o')\ntime.sleep(0.2)"
HUGE = "for i in range(200_000): print('line', i, 'of a log that is long')"
ENDS = ("", "", "", "", "raise SystemExit(1)", "raise SystemExit(3)", "raise SystemExit(4)")
RETRIED = "import os\nif not os.path.exists({mark!r}): open({mark!r}, 'w').close(); raise SystemExit(5)"


@pytest.mark.rabbitmq
@pytest.mark.timeout(3000)
def test_a_farm_is_shown_whole_through_the_death_of_everything(tmp_path: Path) -> None:
    """300 builds with cancels, retries, kill -9 of master, worker, mirror, gateway and ingest: each once, all right."""
    choice = random.Random(7)
    farm = Farm(tmp_path / "farm", BUILDERS, ("w1", "w2", "w3"))
    with private_rabbitmq() as broker, separate_stack(tmp_path, broker.url) as stack:
        farm.start()
        try:
            with mirroring(stack, farm, tmp_path / "mirror") as mirror:
                kills: dict[int, Callable[[], object]] = {
                    60: mirror.kill,
                    110: lambda: stack.processes["ingest"].restart(signal.SIGKILL),
                    160: lambda: farm.kill("w2"),
                    200: lambda: farm.kill("master"),
                    240: lambda: stack.processes["gateway"].restart(signal.SIGKILL),
                }
                revivals: dict[int, Callable[[], None]] = {
                    60: mirror.start,
                    160: lambda: farm.start_worker("w2"),
                    200: farm.start_master,
                }
                for number in range(BUILDS):
                    if number in kills:
                        kills[number]()
                        time.sleep(2)
                        if number in revivals:
                            revivals[number]()
                            farm.wait_for_workers()
                    builder = BUILDERS[number % len(BUILDERS)]
                    last = choice.choice(ENDS)
                    if number % 20 == 7:
                        last = RETRIED.format(mark=str(tmp_path / f"mark-{number}"))
                    script = HUGE if number == 30 else SHORT.format(lines=choice.choice((5, 40, 400)))
                    farm.force(builder, "print(1)", script, last)
                    if number % 25 == 3:
                        running = farm.get("builds?complete=false&order=buildid&limit=1")["builds"]
                        if running:
                            farm.post(f"builds/{running[0]['buildid']}", "stop", {"reason": "enough"})
                    if number % 12 == 11:
                        wait_until(lambda: len(waiting(farm)) <= 24, 300, "room for more builds", every=0.5)
                wait_until(lambda: not waiting(farm), 900, "no request that is left", every=1)
                spool = tmp_path / "mirror"
                wait_until(lambda: not [*spool.glob("*/*/build.json")], 900, "a spool that is empty", every=1)
                # What the last look found may be of its beginning: it takes a minute.
                limit = time.monotonic() + 300
                while (faults := differences(stack, farm)) and time.monotonic() < limit:
                    time.sleep(2)
                assert [] == faults[:20]
                rows = farm.get("builds?limit=100000")["builds"]
                assert len(rows) >= BUILDS
                shown = shown_builds(stack, stack.token())
                report(
                    tmp_path,
                    builds=len(rows),
                    shown=len(shown),
                    results={r: sum(row["results"] == r for row in rows) for r in range(7)},
                    mirror_kib=memory_kib(mirror.process.pid if mirror.process else 0),
                )
        finally:
            farm.stop()


@pytest.mark.timeout(1200)
def test_twenty_running_builds_are_followed_within_two_seconds(tmp_path: Path) -> None:
    """p99 of what is shown behind what the master has is below 2 s, with fewer than 10 requests a second."""
    builders = tuple(f"mlir-{number}" for number in range(20))
    farm = Farm(tmp_path / "farm", builders, ("w1", "w2", "w3"))
    with embedded_stack(tmp_path) as stack:
        farm.start()
        try:
            with mirroring(stack, farm, tmp_path / "mirror") as mirror:
                wait_until(lambda: stack.get("/api/agents")["items"], 30, "a mirror that is connected", every=0.2)
                with LagMeter(stack, farm) as meter:
                    requests = [farm.force(each, "print(1)", STAMPS.format(lines=300, pause=0.2)) for each in builders]
                    for request in requests:
                        farm.wait_for_build(request, seconds=400)
                log_of_build = {}
                for request in requests:
                    row = farm.builds_of(request)[-1]
                    url = f"{farm.url}/#/builders/{row['builderid']}/builds/{row['number']}"
                    steps = farm.get(f"builds/{row['buildid']}/steps")["steps"]
                    step = next(each for each in steps if each["name"].startswith("build"))
                    log_of_build[url] = farm.get(f"steps/{step['stepid']}/logs")["logs"][0]["logid"]
                lags = sorted(meter.lags(log_of_build))
                rate = meter.requests_per_second()
                p99 = lags[int(len(lags) * 0.99)]
                report(
                    tmp_path,
                    appends=len(lags),
                    p50=round(statistics.median(lags), 2),
                    p99=round(p99, 2),
                    longest=round(lags[-1], 2),
                    requests_per_second=rate,
                    mirror_kib=memory_kib(mirror.process.pid if mirror.process else 0),
                )
                assert len(lags) > 100
                assert p99 < 2.0
                assert rate < 10
        finally:
            farm.stop()


def waiting(farm: Farm) -> list[object]:
    """Requests that wait or run."""
    return list(farm.get("buildrequests?complete=false")["buildrequests"])


def report(place: Path, **figures: object) -> None:
    """Leave the figures where a person finds them."""
    text = json.dumps(figures)
    print(text)
    (place / "figures.json").write_text(text)
