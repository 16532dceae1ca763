"""A line every 20 ms, K viewers following its log: how old is a line when a viewer has it (`python -m bench.latency`).

The line's own time stamp to its text in the viewer, over the agent, gateway, bus, ingest's commit and the fan-out.
The figures to beat on two cores are Buildbot 4.3's p99: 4.97 s with 1 viewer, 6.02 s with 200 (tuned: 0.13, 115).
"""

import argparse
import asyncio
import subprocess
import sys
import time
from pathlib import Path

from build_testkit.stack import Stack, wait_until

from bench.statistics import percentile, spread
from bench.systems import SYSTEMS, system
from bench.viewer import Viewer, follow

LINES = Path(__file__).with_name("lines.py")
WARM_UP_SECONDS = 2.0


def measure(stack: Stack, viewers: int, seconds: float) -> list[float]:
    """Ages of every line at every viewer, milliseconds, in one build of `seconds`."""
    known = {build["id"] for build in stack.get("/api/builds?project=latency")["items"]}
    count = int(seconds / 0.02)
    command = stack.agent_command("latency", sys.executable, str(LINES), str(count), "--every", "0.02")
    agent = subprocess.Popen(command, env=stack.agent_environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        token = stack.token()

        def started() -> str | None:
            builds = stack.get("/api/builds?project=latency", token)["items"]
            return next((build["id"] for build in builds if build["id"] not in known), None)

        build_id = wait_until(started, 10, "the build is listed")
        until = time.time() + seconds - 1

        warm_at = time.time() + WARM_UP_SECONDS
        everyone = [Viewer(stack.url, token, build_id, warm_at) for _ in range(viewers)]
        ages = asyncio.run(follow(everyone, stack.url, until))
    finally:
        agent.wait(60)
    if not all(ages):
        raise RuntimeError(f"{sum(not a for a in ages)} of {viewers} viewers were pushed nothing")
    return [age for one in ages for age in one]


def main() -> None:
    """Print a line per system and number of viewers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, nargs="*", default=[1, 200])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--systems", nargs="*", default=SYSTEMS, choices=SYSTEMS)
    arguments = parser.parse_args()
    print(f"latency: a line every 20 ms for {arguments.seconds:g} s, line to viewer, ms")
    for name in arguments.systems:
        with system(name) as stack:
            for viewers in arguments.viewers:
                runs = [measure(stack, viewers, arguments.seconds) for _ in range(arguments.runs)]
                p50, p99 = ([percentile(run, p) for run in runs] for p in (50, 99))
                print(f"  {name:9s} {viewers:4d} viewers   p50 {spread(p50, 1)}   p99 {spread(p99, 1)}", flush=True)


if __name__ == "__main__":
    main()
