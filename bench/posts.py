"""Posting against a WebSocket: how fast a flood is stored and how old lines are, by the same agent on the same system.

    python -m bench.posts

A front passes the WebSocket or refuses it with 403; what is printed is posts over sockets.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from build_testkit.middlebox import Upgrades, middlebox
from build_testkit.stack import Stack, embedded_stack, wait_until

LINES = 200_000
ROUNDS = 2
FLOOD = f"for n in range({LINES}): print(f'[{{n}}] Building CXX object lib/Some/File{{n}}.cpp.o')"
TRICKLE = "import time\ntime.sleep(4)\nfor _ in range(10):\n print(time.time(), flush=True)\n time.sleep(1.13)"


def main() -> None:
    """Measure both by turns, and print them side by side."""
    rates: dict[Upgrades, list[float]] = {"pass": [], "403": []}
    ages: dict[Upgrades, list[float]] = {"pass": [], "403": []}
    with tempfile.TemporaryDirectory() as directory, embedded_stack(Path(directory)) as stack:
        for number in range(ROUNDS):
            for upgrades, rate in rates.items():
                rate.append(_flood(stack, upgrades, number))
                ages[upgrades] += _trickle(stack, upgrades, number)
    for upgrades, seen in ages.items():
        name = "WebSocket" if upgrades == "pass" else "posts"
        print(f"{name}: {[round(rate) for rate in rates[upgrades]]} lines/s", end=", ")
        print(f"lines {median(seen):.0f} ms old (median), {max(seen):.0f} ms at most")
    print(f"ratio of rates: {median(rates['403']) / median(rates['pass']):.2f}")


def _command(stack: Stack, port: int, project: str, script: str) -> "subprocess.Popen[bytes]":
    here = {"WS_ENDPOINT": f"ws://127.0.0.1:{port}"}
    command = stack.agent_command(project, sys.executable, "-c", script, options=("--wait", "120"))
    return subprocess.Popen(command, env=stack.agent_environment | here, stdout=subprocess.DEVNULL)


def _flood(stack: Stack, upgrades: Upgrades, number: int) -> float:
    """Lines a second, from the agent's start to the verified log."""
    with middlebox([int(stack.url.rpartition(":")[2])], upgrades) as box:
        began = time.monotonic()
        _command(stack, box.port, f"flood-{upgrades}-{number}", FLOOD).wait()
        return LINES / (time.monotonic() - began)


def _trickle(stack: Stack, upgrades: Upgrades, number: int) -> list[float]:
    """How old lines are when REST first has them, ms; one line a second, so that each finds silence."""
    project, ages = f"trickle-{upgrades}-{number}", list[float]()
    with middlebox([int(stack.url.rpartition(":")[2])], upgrades) as box:
        agent = _command(stack, box.port, project, TRICKLE)
        token = stack.token()
        build = wait_until(lambda: stack.get(f"/api/builds?project={project}", token)["items"], 30, "the build")[0]
        while agent.poll() is None and len(ages) < 10:
            page = stack.get(f"/api/builds/{build['id']}/logs?first={len(ages) + 1}&count=10", token)
            ages += [(time.time() - float(line)) * 1000 for line in page["lines"]]
            time.sleep(0.01)
        agent.wait()
    return ages


if __name__ == "__main__":
    main()
