"""200,000 lines printed flat out: how long until every one is stored and reported stored (`python -m bench.flood`).

Yardstick: the bare program writing to a file. The figure to beat on two cores is Buildbot 4.3's 47,500 lines/s.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from build_testkit.stack import Stack

from bench.statistics import spread
from bench.systems import SYSTEMS, system

LINES = Path(__file__).with_name("lines.py")


def bare(count: int) -> float:
    """Seconds the program takes alone, into a file."""
    with Path("/dev/null").open("wb") as sink:
        begin = time.perf_counter()
        subprocess.run([sys.executable, str(LINES), str(count)], stdout=sink, check=True)
        return time.perf_counter() - begin


def flood(stack: Stack, count: int) -> float:
    """Seconds from starting the agent until it ended with everything reported stored and verified."""
    known = {build["id"] for build in stack.get("/api/builds?project=flood&limit=200")["items"]}
    command = stack.agent_command("flood", sys.executable, str(LINES), str(count), options=("--origin", "ci"))
    begin = time.perf_counter()
    subprocess.run(command, env=stack.agent_environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - begin
    (build,) = (b for b in stack.get("/api/builds?project=flood&limit=200")["items"] if b["id"] not in known)
    if build["logLines"] != count or not build["verified"]:
        raise RuntimeError(f"stored {build['logLines']} of {count} lines, verified={build['verified']}")
    return seconds


def main() -> None:
    """Print a line per system."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--systems", nargs="*", default=SYSTEMS, choices=SYSTEMS)
    arguments = parser.parse_args()
    print(f"flood: {arguments.lines:,} lines flat out, until reported stored and verified; agent start included")
    print(f"  bare to /dev/null     s {spread([bare(arguments.lines) for _ in range(arguments.runs)], 3)}")
    for name in arguments.systems:
        with system(name) as stack:
            flood(stack, arguments.lines)  # warm-up, not counted
            seconds = [flood(stack, arguments.lines) for _ in range(arguments.runs)]
        rates = [arguments.lines / s for s in seconds]
        print(f"  {name:9s}  s {spread(seconds)}   lines/s {spread(rates, 0)}")


if __name__ == "__main__":
    main()
