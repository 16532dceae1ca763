"""Requests a second of the REST API, from clients that keep their connections (`python -m bench.rest`).

One build, the list of 50 and 1,000 lines of a log, each asked by `--clients` connections for `--seconds`; beside
them the yardstick of the same moment: `/healthz`, which no service is asked for. Also how long a start takes until
`/api/builds` answers with what is stored. Buildbot 4.3 on two cores: one build 912, 50 builds 182, 1,000 lines 79
requests a second; a start 0.55 to 0.82 s.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from build_testkit.stack import Stack, wait_until

from bench.statistics import percentile, spread
from bench.systems import SYSTEMS, system, wait_until_idle

LINES = Path(__file__).with_name("lines.py")
BUILDS = 60
LOG_LINES = 5000


async def ask(host: str, port: int, request: bytes, until: float) -> list[float]:
    """Milliseconds of each answer on one connection."""
    reader, writer = await asyncio.open_connection(host, port)
    taken: list[float] = []
    while (begun := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode(errors="replace"))
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        if b"content-length" in fields:
            await reader.readexactly(int(fields[b"content-length"]))
        else:
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        taken.append(1000 * (time.perf_counter() - begun))
    writer.close()
    return taken


def cpu_ms(stack: Stack) -> float:
    """Processor time that the services have taken so far: other programs' share of the machine is not in it."""
    running = [psutil.Process(process.popen.pid) for process in stack.processes.values() if process.popen]
    return 1000 * sum(sum(process.cpu_times()[:2]) for process in running)


def rate(stack: Stack, path: str, token: str, clients: int, seconds: float) -> tuple[float, float, float]:
    """Requests a second, the 99th percentile in milliseconds, and the services' processor time of one in ms."""
    parts = urlsplit(stack.url)
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def all_clients() -> list[list[float]]:
        until = time.perf_counter() + seconds
        asked = (ask(parts.hostname or "", parts.port or 80, request, until) for _ in range(clients))
        return await asyncio.gather(*asked)

    before = cpu_ms(stack)
    taken = [each for one in asyncio.run(all_clients()) for each in one]
    return len(taken) / seconds, percentile(taken, 99), (cpu_ms(stack) - before) / len(taken)


def fill(stack: Stack) -> str:
    """Some builds, and one with a long log, whose id is returned."""
    for number in range(BUILDS + 1):
        lines = str(LOG_LINES if number == BUILDS else 3)
        command = stack.agent_command("rest", sys.executable, str(LINES), lines)
        subprocess.run(command, env=stack.agent_environment, stdout=subprocess.DEVNULL, check=True)
    return str(stack.get("/api/builds?project=rest&limit=1")["items"][0]["id"])


def start_seconds(stack: Stack, token: str) -> float:
    """From starting all processes anew until the builds are answered."""
    for process in stack.processes.values():
        process.stop()
    begun = time.perf_counter()
    for process in stack.processes.values():
        process.start()

    def answers() -> bool:
        try:
            return bool(stack.get("/api/builds?project=rest", token)["items"])
        except OSError:
            return False

    wait_until(answers, 60, "the builds are answered", every=0.005)
    return time.perf_counter() - begun


def main() -> None:
    """Print a line per system and question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--systems", nargs="*", default=SYSTEMS, choices=SYSTEMS)
    arguments = parser.parse_args()
    print(f"REST, {arguments.clients} clients: requests a second, p99 and CPU of one in ms")
    for name in arguments.systems:
        with system(name) as stack:
            build_id = fill(stack)
            wait_until_idle(stack)
            token = stack.token()
            for what, path in {
                "health": "/healthz",
                "one build": f"/api/builds/{build_id}",
                "50 builds": "/api/builds?limit=50",
                "1,000 lines": f"/api/builds/{build_id}/logs?first=2001&count=1000",
            }.items():
                runs = [rate(stack, path, token, arguments.clients, arguments.seconds) for _ in range(arguments.runs)]
                rates, slowest, taken = zip(*runs, strict=True)
                print(
                    f"  {name:9s} {what:12s} {spread(rates, 0)}   p99 {spread(slowest, 1)}   CPU {spread(taken)}",
                    flush=True,
                )
            print(f"  {name:9s} start, s     {spread([start_seconds(stack, token) for _ in range(arguments.runs)])}")


if __name__ == "__main__":
    main()
