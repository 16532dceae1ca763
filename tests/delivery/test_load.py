"""Load and a long outage: `make test-delivery FULL=1`; LOAD_SECONDS and OUTAGE_SECONDS make them shorter."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
from build_testkit.mariadb import PrivateDatabase
from build_testkit.rabbitmq import PrivateBroker
from delivery.arena import Arena, separate_arena
from delivery.harsh_agent import new_build_id
from delivery.report import report

WAYS = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
"""To the modules of this folder and of `bench`."""

LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "600"))
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "300"))
AGENTS, VIEWERS, RATE = 50, 100, 40
WARM_SECONDS = 10.0

pytestmark = [
    pytest.mark.delivery,
    pytest.mark.slow,
    pytest.mark.rabbitmq,
    pytest.mark.mariadb,
    pytest.mark.timeout(3 * LOAD_SECONDS + 3 * OUTAGE_SECONDS + 600),
    pytest.mark.skipif(not os.environ.get("FULL"), reason="minutes long: FULL=1"),
]


@pytest.fixture(scope="module")
def separate(
    tmp_path_factory: pytest.TempPathFactory, own_rabbitmq: PrivateBroker, own_mariadb: PrivateDatabase
) -> Iterator[Arena]:
    """Seven processes, connected to broker and database straight."""
    with separate_arena(tmp_path_factory.mktemp("load"), own_rabbitmq, own_mariadb, has_proxies=False) as arena:
        yield arena


def start(role: str, *, urls: str, secret: str, builds: list[str], seconds: float) -> Any:
    """One of the load's processes."""
    command = [sys.executable, "-m", "delivery.load", role, f"--urls={urls}", f"--secret={secret}"]
    command += [f"--builds={','.join(builds)}", f"--rate={RATE}", f"--count={VIEWERS}", f"--seconds={seconds}"]
    command += [f"--warm={WARM_SECONDS}"]
    path = os.pathsep.join([*WAYS, os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)


def straight(arena: Arena) -> str:
    """The gateways without their proxies: a tap that decodes every frame is no part of what is measured."""
    return ",".join(url.replace("http", "ws", 1) for url in arena.gateways)


def rss(arena: Arena) -> dict[str, int]:
    """Resident bytes of each process."""
    return {
        name: psutil.Process(process.popen.pid).memory_info().rss
        for name, process in arena.processes.items()
        if process.popen is not None
    }


def test_fifty_agents_and_a_hundred_viewers_are_held(separate: Arena) -> None:
    """Lines reach pages within a second (p99), and no process grows."""
    builds = [new_build_id(int(time.time() * 1000)) for _ in range(AGENTS)]
    agents = start("agents", urls=straight(separate), secret=separate.key, builds=builds, seconds=LOAD_SECONDS)
    token = separate.rest().token()
    viewers = start("viewers", urls=separate.gateways[0], secret=token, builds=builds, seconds=LOAD_SECONDS - 5)
    sizes: list[dict[str, int]] = []
    began = time.monotonic()
    while time.monotonic() - began < LOAD_SECONDS - 10:
        time.sleep(5)
        sizes.append(rss(separate))
    seen = json.loads(viewers.communicate(timeout=120)[0])
    reports = [json.loads(line) for line in agents.communicate(timeout=LOAD_SECONDS + 300)[0].splitlines()]

    third = max(1, len(sizes) // 3)
    growth = {
        name: median(size[name] for size in sizes[-third:]) / median(size[name] for size in sizes[third : 2 * third])
        for name in separate.processes
    }
    report(
        load=seen,
        growth={name: round(value, 3) for name, value in growth.items()},
        last=reports[-1],
        seconds=LOAD_SECONDS,
    )
    assert (AGENTS, []) == (reports[-1]["done"], reports[-1]["faults"])
    # A viewer that the gateway gave up receives nothing, and nothing is never late.
    assert seen["lines"] > 0.9 * VIEWERS * RATE * (LOAD_SECONDS - 5 - WARM_SECONDS)
    assert seen["p99"] < 1000
    assert max(growth.values()) < 1.15


def test_after_a_long_outage_of_the_broker_all_is_caught_up(separate: Arena) -> None:
    """Agents keep their sessions meanwhile, and what they kept arrives in less than the outage took."""
    assert separate.broker is not None
    builds = [new_build_id(int(time.time() * 1000)) for _ in range(AGENTS)]
    seconds = OUTAGE_SECONDS + 60
    agents = start("agents", urls=straight(separate), secret=separate.key, builds=builds, seconds=seconds)
    time.sleep(20)
    welcomes = count_welcomes(separate)
    separate.broker.stop()
    time.sleep(OUTAGE_SECONDS)
    separate.broker.start()
    back_at = time.time()
    reports = [json.loads(line) for line in agents.communicate(timeout=3 * OUTAGE_SECONDS + 300)[0].splitlines()]
    again = count_welcomes(separate) - welcomes

    caught_up = next(line["at"] for line in reports if line["at"] > back_at and line["behind"] < AGENTS * 20) - back_at
    most = max(line["behind"] for line in reports)
    report(outage=OUTAGE_SECONDS, caught_up_seconds=round(caught_up, 1), most_behind=most, reconnections=again)
    assert (AGENTS, []) == (reports[-1]["done"], reports[-1]["faults"])
    assert caught_up < max(60, OUTAGE_SECONDS)  # a broker takes its time to start, however short it was away
    assert again <= AGENTS


def count_welcomes(arena: Arena) -> int:
    """Sessions that gateways began so far."""
    return sum(arena.processes[name].log.read_text().count('"welcome agent') for name in ("gateway", "gateway-2"))
