"""The whole system in one process, under virtual time and seeded faults; see docs/reliability.md.

Each run is a process of its own: the product's clocks, files and randomness are replaced in it for good.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FULL = os.environ.get("FULL") == "1"
SEEDS = "1-60" if FULL else "1-5"
PAST = Path(__file__).with_name("seeds.txt")
BUGS = re.findall(r'Bug\("([^"]+)"', Path(__file__).with_name("planted.py").read_text())
SMALL_BUGS = ("retention goes by the agent's clock", "an outage counts against messages")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200 if FULL else 900)]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m simulation` with these arguments."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [sys.executable, "-m", "simulation", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def runs(*arguments: str) -> list[dict[str, Any]]:
    """The outcome of each seed."""
    done = run(*arguments, "--json")
    assert "" == done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_promise_holds_under_every_seed() -> None:
    """Nothing is lost or there twice, colours, incidents and mails are the truth, and everything ends."""
    found = runs("--seed", SEEDS, "--length", "6" if FULL else "1")

    assert {} == {one["seed"]: one["violations"] for one in found if one["violations"]}
    assert found


@pytest.mark.parametrize("line", [line for line in PAST.read_text().splitlines() if line and line[0] != "#"])
def test_what_was_found_once_stays_fixed(line: str) -> None:
    """Each seed that was red stays green."""
    arguments = line.partition("#")[0].split()

    assert [[]] == [one["violations"] for one in runs(*arguments)]


@pytest.mark.parametrize("system", ["embedded", "apart"])
def test_a_run_is_its_seed(system: str) -> None:
    """The same seed gives the same run, to the last step, in another process and after other seeds."""
    alone, after = [runs("--seed", seeds, "--system", system, "--length", "1")[-1] for seeds in ("8", "7-8")]

    assert alone["digest"] == after["digest"]


@pytest.mark.parametrize("bug", BUGS if FULL else SMALL_BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    """A product that breaks its promise turns the simulation red."""
    assert 0 == run("--planted", bug, "--length", "3", "--minutes", "10").returncode


def test_nothing_but_the_seams_is_replaced() -> None:
    """The product runs as it is but for the names in `seams.py`."""
    written = (Path(__file__).parent / "seams.py").read_text()

    replaced = run("--seams").stdout.split()

    assert replaced
    assert [] == [name for name in replaced if f'"{name}"' not in written]
