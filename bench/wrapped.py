"""A real ninja build, bare and wrapped, in pairs: what the agent costs (`python -m bench.wrapped BUILD_DIR TARGET`).

BUILD_DIR is a configured Ninja tree, e.g. that of `bench/llvm/configure.sh`; TARGET is cleaned and built in every run.
Who goes first alternates from pair to pair. The stored log of each wrapped run is compared with what the build
printed; with `--down` the dashboard comes up after the last pair, and is sent what waits. CPU of agent and holder is
read from /proc until they end, without the build they wait for.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from build_testkit.stack import Stack, embedded_stack

from bench.statistics import spread

SAMPLE_SECONDS = 0.05
TICKS = os.sysconf("SC_CLK_TCK")
RESAMPLES = 10_000
PROJECT = "wrapped"
VERIFIED_SECONDS = 60.0


@dataclass
class Overhead:
    """CPU seconds and peak resident bytes of the agent's own processes (agent, holder), not of the build."""

    cpu_seconds: dict[int, float] = field(default_factory=dict)
    peak_bytes: dict[int, int] = field(default_factory=dict)

    def sample(self, agent: int) -> None:
        """Read the agent and what of its descendants is ours, while they live."""
        for process in (agent, *_descendants(agent)):
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes()
                if b"build_dashboard" not in command.split(b"\0--\0")[0]:
                    continue
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                self.cpu_seconds[process] = (int(fields[11]) + int(fields[12])) / TICKS
                status = Path(f"/proc/{process}/status").read_text()
                self.peak_bytes[process] = int(status.partition("VmHWM:")[2].split()[0]) * 1024
            except (OSError, IndexError, ValueError):
                continue  # it ended between two reads


def _descendants(process: int) -> list[int]:
    found: list[int] = []
    for child in _children(process):
        found += [child, *_descendants(child)]
    return found


def _children(process: int) -> list[int]:
    try:
        lists = [task.read_text() for task in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return []  # it ended, or one of its threads did, between two reads
    return [int(child) for listed in lists for child in listed.split()]


@dataclass(frozen=True)
class Run:
    """One build: wall and CPU seconds of everything, and what of it was the agent's."""

    wall: float
    cpu: float
    overhead: Overhead

    @property
    def agent_percent(self) -> float:
        """The agent's share of the build's CPU, percent."""
        own = sum(self.overhead.cpu_seconds.values())
        return 100 * own / (self.cpu - own)


def build(command: list[str], clean: Callable[[], None], environment: dict[str, str], printed: Path) -> Run:
    """Clean, then run the command to its end; what it prints goes to the file `printed`."""
    clean()
    overhead = Overhead()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    with printed.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            overhead.sample(process.pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    wall = time.perf_counter() - begin
    ended.set()
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status != 0:
        raise SystemExit(f"{command} ended with {status}")
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, overhead)


def compare(stack: Stack, printed: Sequence[Path]) -> str:
    """Wait until the builds are verified; say how their stored logs compare with what they printed, line by line."""
    listed = stack.get(f"/api/builds?project={PROJECT}")["items"]
    newest = sorted(listed, key=lambda build: build["startedAt"])[-len(printed) :]
    lines = [_compare(stack, build["id"], own) for build, own in zip(newest, printed, strict=True)]
    return f"stored log equal ({', '.join(map(str, lines))} lines)"


def _compare(stack: Stack, build_id: str, printed: Path) -> int:
    stack.wait_for_build(build_id, lambda build: bool(build["verified"]), VERIFIED_SECONDS)
    stored = stack.get_bytes(f"/api/builds/{build_id}/logs?format=text").decode().splitlines()
    own = printed.read_text(errors="replace").splitlines()
    if stored != own:
        raise SystemExit(f"stored {len(stored)} lines, printed {len(own)}: they differ")
    return len(stored)


def interval(values: list[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    chance = random.Random(0)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)]


def main() -> None:
    """Print the pairs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    parser.add_argument("target")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--down", action="store_true", help="the dashboard is not there")
    arguments = parser.parse_args()
    ninja = ["ninja", "-C", arguments.build_dir, arguments.target]

    def clean() -> None:
        subprocess.run(["ninja", "-C", arguments.build_dir, "-t", "clean"], check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        running = nullcontext(None) if arguments.down else embedded_stack(directory)
        with running as stack:
            wrapped_command, environment = _wrapped(stack, ninja, directory)
            bare: list[Run] = []
            wrapped: list[Run] = []
            printed: list[Path] = []
            for pair in range(1, arguments.pairs + 1):
                for is_wrapped in (False, True) if pair % 2 else (True, False):
                    if is_wrapped:
                        printed.append(directory / f"wrapped-{pair}.log")
                        wrapped.append(build(wrapped_command, clean, environment, printed[-1]))
                    else:
                        bare.append(build(ninja, clean, dict(os.environ), directory / "bare.log"))
                walls = f"bare {bare[-1].wall:.2f} s, wrapped {wrapped[-1].wall:.2f} s"
                stored = "" if stack is None else f", {compare(stack, printed[-1:])}"
                print(f"  pair {pair}: {walls}{stored}", flush=True)
        if arguments.down:
            with embedded_stack(directory) as stack:
                stack.resume(VERIFIED_SECONDS)
                print(f"  the dashboard is there: {compare(stack, printed)}")
    ratios = [w.wall / b.wall for b, w in zip(bare, wrapped, strict=True)]
    low, high = interval(ratios)
    print(f"wrapped: {' '.join(ninja)}, dashboard {'down' if arguments.down else 'up'}")
    print(f"  wall bare     s {spread([run.wall for run in bare])}")
    print(f"  wall wrapped  s {spread([run.wall for run in wrapped])}")
    print(f"  wall ratio      {spread(ratios, 4)}   95 % interval of the median {low:.4f} - {high:.4f}")
    print(f"  agent + holder  % of the build's CPU {spread([run.agent_percent for run in wrapped], 3)}")
    peaks = [max(run.overhead.peak_bytes.values()) / 2**20 for run in wrapped]
    print(f"  agent peak RSS  MiB {spread(peaks, 1)}")


def _wrapped(stack: Stack | None, ninja: list[str], directory: Path) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "build_dashboard", "run", "--project", PROJECT, "--", *ninja]
    if stack is not None:
        return command, stack.agent_environment
    return command, os.environ | {
        "WS_ENDPOINT": "ws://127.0.0.1:9",
        "BUILD_DASHBOARD_API_KEY": "a key that nobody asks for",
        "XDG_STATE_HOME": str(directory / "state"),
    }


if __name__ == "__main__":
    main()
