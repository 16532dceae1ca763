"""A load: many agents that print stamped lines at a steady pace, and many viewers that note how old each line is.

Each role (`python -m delivery.load`) is a process of its own, so that neither the measured system nor the measuring
waits for the other.
"""

import argparse
import asyncio
import hashlib
import json
import time
from typing import Any

from delivery.harsh_agent import HarshAgent
from delivery.workload import Build

from bench.viewer import Viewer, follow

RECORDS_PER_SECOND = 10


class LoadAgent(HarshAgent):
    """A harsh agent whose lines are made while it runs: each says when."""

    def __init__(self, urls: list[str], *, key: str, build_id: str, lines_per_second: int, seconds: float) -> None:
        self._lines_per_record = lines_per_second // RECORDS_PER_SECOND
        self._lines = 0
        self._sha256 = hashlib.sha256()
        self._bytes = 0
        build = Build(0, 0, 0)
        super().__init__(urls, key=key, build_id=build_id, project="p000", build=build, seconds=seconds)
        self._records.clear()
        self._add("BUILD_START", {"status": "running", "branch": "main", "config": "load"})

    async def _make(self) -> None:
        began = time.monotonic()
        for turn in range(int(self._seconds * RECORDS_PER_SECOND)):
            await asyncio.sleep(max(0.0, began + turn / RECORDS_PER_SECOND - time.monotonic()))
            first = self._lines + 1
            lines = [self._line() for _ in range(self._lines_per_record)]
            self._add("BUILD_LOG", {"firstLine": first, "lines": lines, "stream": "out"})
        totals = {"lines": self._lines, "bytes": self._bytes, "sha256": self._sha256.hexdigest()}
        self._add("BUILD_COMPLETE", {"status": "succeeded", "exitCode": 0, "totals": totals})
        self.is_made = True

    is_made = False

    @property
    def is_done(self) -> bool:
        """Whether the last line is made, stored and verified."""
        return self.is_made and super().is_done

    def _line(self) -> str:
        line = f"stamp {time.time_ns()} [{self._lines}/99999] Building CXX object lib/IR/CMakeFiles/obj.dir/File.cpp.o"
        text = line.encode() if self._lines == 0 else b"\n" + line.encode()
        self._sha256.update(text)
        self._bytes += len(text)
        self._lines += 1
        return line

    def _add(self, kind: str, data: dict[str, Any]) -> None:
        seq = self._made + 1
        if kind == "BUILD_LOG":
            data["timesMs"] = [int(time.time() * 1000)]
        record = {"type": kind, "buildId": self.state.build_id, "project": "p000", "seq": seq}
        self._records[seq] = json.dumps({**record, "timestamp": int(time.time() * 1000), "data": data})
        self._made = self.state.last = seq
        self._more.set()


async def be_agents(options: argparse.Namespace) -> None:
    """All agents; prints how many records were made and, at the end, how each build stands."""
    agents = [
        LoadAgent(
            options.urls.split(","),
            key=options.secret,
            build_id=build_id,
            lines_per_second=options.rate,
            seconds=options.seconds,
        )
        for build_id in options.builds.split(",")
    ]

    async def report() -> None:
        while True:
            behind = sum(agent.state.last - agent.state.stored for agent in agents)
            print(json.dumps({"at": time.time(), "behind": behind}), flush=True)
            await asyncio.sleep(1)

    reporting = asyncio.create_task(report())
    await asyncio.gather(*(agent.run() for agent in agents))
    reporting.cancel()
    faults = [vars(agent.state) for agent in agents if agent.state.asked_again or agent.state.refused]
    print(json.dumps({"at": time.time(), "behind": 0, "done": len(agents), "faults": faults}), flush=True)


async def be_viewers(options: argparse.Namespace) -> None:
    """All viewers; prints how old lines were when they came, in milliseconds."""
    builds = options.builds.split(",")
    warm_at = time.time() + options.warm
    everyone = [
        Viewer(options.urls, options.secret, builds[number % len(builds)], warm_at) for number in range(options.count)
    ]
    ages = sorted(
        age for of_viewer in await follow(everyone, options.urls, time.time() + options.seconds) for age in of_viewer
    )
    quantiles = {name: round(ages[int(len(ages) * share)], 1) for name, share in (("p50", 0.5), ("p99", 0.99))}
    print(json.dumps({"lines": len(ages), **quantiles, "max": round(ages[-1], 1)}), flush=True)


def main() -> None:
    """Be one of the roles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("agents", "viewers"))
    parser.add_argument("--urls", required=True)
    parser.add_argument("--secret", required=True, help="the agents' key, or a viewer's token")
    parser.add_argument("--builds", required=True)
    parser.add_argument("--rate", type=int, default=40, help="lines a second of each agent")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm", type=float, default=0.0, help="seconds before a viewer counts")
    options = parser.parse_args()
    asyncio.run((be_agents if options.role == "agents" else be_viewers)(options))


if __name__ == "__main__":
    main()
