"""The command line of the simulation."""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from simulation.planted import BUGS
from simulation.run import Outcome, simulate
from simulation.scenario import Scenario, describe, draw
from simulation.seams import replaced
from simulation.world import World

FIND_MINUTES = 10.0


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seed", help="one, or `from-to`")
    parser.add_argument("--minutes", type=float, default=0, help="run seeds for so many minutes of real time")
    parser.add_argument("--length", type=float, default=6.0, help="simulated minutes in which builds begin")
    parser.add_argument("--system", choices=("embedded", "apart"), help="as the seed has it, where left out")
    parser.add_argument("--faults", help="only these, by number, separated by commas")
    parser.add_argument("--shrink", action="store_true", help="leave out faults one by one while it stays red")
    parser.add_argument("--timeline", action="store_true", help="print it also where all is well")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each run")
    parser.add_argument("--planted", help="break the product in this way (planted.py): 0 where it is found")
    parser.add_argument("--seams", action="store_true", help="print what is replaced")
    options = parser.parse_args(arguments)
    if options.seams:
        with TemporaryDirectory() as root:
            print("\n".join(sorted(replaced(World(0, Path(root))))))
        return 0
    if options.planted is not None:
        return find(options.planted, options.length, options.minutes or FIND_MINUTES)
    begun_at, red = time.monotonic(), 0
    for seed in _seeds(options.seed, options.minutes, begun_at):
        embedded = None if options.system is None else options.system == "embedded"
        scenario = draw(seed, options.length, embedded)
        if options.faults is not None:
            scenario = scenario.only({int(number) for number in options.faults.split(",") if number})
        outcome = simulate(scenario)
        if options.json:
            print(
                json.dumps(
                    {
                        **describe(scenario),
                        "digest": outcome.digest,
                        "violations": outcome.violations,
                        "cpu": outcome.cpu_seconds,
                        "simulated": outcome.simulated_seconds,
                    }
                ),
                flush=True,
            )
        else:
            print(_line(scenario, outcome), flush=True)
        if outcome.violations:
            red += 1
            if options.shrink:
                scenario, outcome = shrink(scenario, outcome)
            if not options.json:
                show(scenario, outcome)
        elif options.timeline:
            print("\n".join(outcome.timeline))
    return 1 if red else 0


def find(name: str, length: float, minutes: float) -> int:
    """Look for a planted bug, seed after seed; 0 where it was found within so many minutes of CPU time.

    A seed that is red without the bug as well finds nothing.
    """
    bug = next(bug for bug in BUGS if bug.name == name)
    spent_seconds, seed = 0.0, bug.seed
    while spent_seconds < 60 * minutes:
        outcome = simulate(draw(seed, length, bug.embedded), bug.plant)
        spent_seconds += outcome.cpu_seconds
        if outcome.violations:
            without = simulate(draw(seed, length, bug.embedded))
            spent_seconds += without.cpu_seconds
            if not without.violations:
                print(f"{name}: seed {seed}, {spent_seconds:.0f} CPU s: {outcome.violations[0]}")
                return 0
            print(f"seed {seed} is red without it: {without.violations[0]}")
        seed += 1
    print(f"{name}: not found in {seed - bug.seed} seeds, {spent_seconds:.0f} CPU s")
    return 1


def shrink(scenario: Scenario, outcome: Outcome) -> tuple[Scenario, Outcome]:
    """The fewest faults with which it is still red, leaving out one after the other."""
    kept = [fault.number for fault in scenario.faults]
    for number in list(kept):
        fewer = scenario.only({other for other in kept if other != number})
        tried = simulate(fewer)
        if tried.violations:
            kept.remove(number)
            scenario, outcome = fewer, tried
    return scenario, outcome


def show(scenario: Scenario, outcome: Outcome) -> None:
    """The timeline, what was broken, and how to run it again."""
    print("\n".join(outcome.timeline))
    numbers = ",".join(str(fault.number) for fault in scenario.faults)
    print(f"again: make simulate SEED={scenario.seed} FAULTS={numbers or ','}")


def _seeds(text: str | None, minutes: float, begun_at: float) -> Iterator[int]:
    if text is not None:
        first, _, last = text.partition("-")
        yield from range(int(first), int(last or first) + 1)
        return
    seed = int(time.time()) * 1000
    while time.monotonic() < begun_at + 60 * minutes:
        seed += 1
        yield seed


def _line(scenario: Scenario, outcome: Outcome) -> str:
    verdict = "red: " + "; ".join(outcome.violations[:3]) if outcome.violations else "green"
    facts = describe(scenario)
    return (
        f"seed {scenario.seed} {facts['system']}: {facts['builds']} builds, {facts['faults']} faults,"
        f" {outcome.simulated_seconds:.0f} simulated s in {outcome.cpu_seconds:.1f} CPU s: {verdict}"
    )
