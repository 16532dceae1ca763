"""One run of the simulation: from a scenario to its violations, in a process of its own."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from simulation import checks, faults, files, seams
from simulation.scenario import Scenario
from simulation.world import Log, World

FOUNDING_SECONDS = 5.0
SETTLE_SECONDS = 1500.0
"""After the last fault: by then everything has been delivered."""

QUIET_SECONDS = 100.0
"""Then the last verdict is published, and what is to be mailed of it is collected for 30 s and sent."""

CPU_SECONDS = 20.0


class Spinning(KeyboardInterrupt):
    """Something runs without end: an interrupt, for nothing that runs catches it."""


Plant = Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    violations: list[str]
    digest: str
    steps: int
    simulated_seconds: float
    cpu_seconds: float
    timeline: list[str] = field(default_factory=list)


def simulate(scenario: Scenario, plant: Plant | None = None) -> Outcome:
    """Run a scenario in a child of this process, which keeps nothing of it.

    Args:
        scenario: What is to happen.
        plant: Breaks the product on purpose, in the child.
    """
    root = Path(tempfile.mkdtemp(prefix="simulation-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _be_the_child(scenario, root, plant, write)
    os.close(write)
    status = 0
    try:
        with os.fdopen(read) as pipe:
            text = pipe.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
        shutil.rmtree(root, ignore_errors=True)
    if status:
        return Outcome([f"the simulation died, wait status {status}"], "", 0, 0.0, 0.0)
    return Outcome(**json.loads(text))


def _be_the_child(scenario: Scenario, root: Path, plant: Plant | None, write: int) -> NoReturn:
    try:
        outcome = _guarded(scenario, root, plant)
        files.uninstall()
        if "coverage" in sys.modules and (measured := sys.modules["coverage"].Coverage.current()) is not None:
            measured.stop()  # a child that ends here saves nothing by itself
            measured.save()
        with os.fdopen(write, "w") as pipe:
            json.dump(asdict(outcome), pipe)
    except BaseException:  # noqa: BLE001  nothing of the child may go on as if it were its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _guarded(scenario: Scenario, root: Path, plant: Plant | None) -> Outcome:
    began = time.process_time()
    for name in [name for name in os.environ if name not in ("PATH", "HOME", "PYTHONHASHSEED")]:
        del os.environ[name]
    os.chdir(root)
    gc.disable()
    world = World(scenario.seed, root, embedded=scenario.embedded, apart=scenario.apart)
    try:
        seams.install(world)
        if plant is not None:
            plant()
        logger = logging.getLogger()
        logger.handlers[:] = [Log(world)]
        asyncio.set_event_loop(world.loop)
        signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS + scenario.minutes * 8)
        sys.unraisablehook = lambda _: None
        world.loop.set_exception_handler(lambda _, facts: _unhandled(world, facts))
        world.loop.run_until_complete(_story(world, scenario))
    except BaseException as error:  # noqa: BLE001  whatever it was, the run is red
        world.violated(f"the simulation broke: {type(error).__name__}: {error}")
        world.timeline += traceback.format_exc().splitlines()
    world.digest.update(f"{world.loop.steps} {world.loop.now}".encode())
    return Outcome(
        world.violations,
        world.digest.hexdigest(),
        world.loop.steps,
        world.loop.now,
        time.process_time() - began,
        world.timeline,
    )


async def _story(world: World, scenario: Scenario) -> None:
    loop = world.loop
    world.found()
    await asyncio.sleep(FOUNDING_SECONDS)
    for name, skew in scenario.skews.items():
        world.machine(name).skew_seconds = skew
        world.add_agent(name)
    watch = checks.Watch(world)
    watching = loop.create_task(watch.run())
    for plan in scenario.plans:
        loop.call_later(plan.starts_at, world.agents[plan.machine].request, plan)
    cancels = [loop.create_task(_cancel(world, name, after)) for name, after in scenario.cancels]
    last = max([scenario.minutes * 60, *(plan.starts_at for plan in scenario.plans)])
    for fault in scenario.faults:
        loop.call_later(fault.at, _befall, world, fault)
        last = max(last, fault.at + fault.seconds)
    await asyncio.sleep(last + 1)
    world.note("--- all faults are over")
    for name, agent in world.agents.items():
        process = world.posts[f"{name}/agent"].process
        if process is not None and "cannot be delivered yet" in agent.problems():
            process.end()  # it says that the next agent delivers it; that one starts here
    until = loop.now + SETTLE_SECONDS
    while not checks.is_settled(world) and loop.now < until:  # noqa: ASYNC110  it has no event
        await asyncio.sleep(5)
    world.note("--- settled" if checks.is_settled(world) else "--- never settled")
    await asyncio.sleep(QUIET_SECONDS)
    for task in cancels:
        task.cancel()
    watching.cancel()
    watch.look()
    await checks.Verdict(world).judge()


def _befall(world: World, fault: Any) -> None:
    undo = faults.begin(fault, world)

    def end() -> None:
        world.note(f"<<< fault {fault.number} is over")
        undo()

    world.loop.call_later(fault.seconds, end)


async def _cancel(world: World, name: str, after: float) -> None:
    """A person cancels a build while it runs, as long as the dashboard takes no order."""
    while True:
        await asyncio.sleep(1)
        found = [build for build in checks.builds_of(world) if build.plan.name == name]
        if found:
            break
    build = found[0]
    await asyncio.sleep(after)
    while build.ended_at is None and not build.is_cut_off:
        process: Any = world.find("gateway")
        if process is not None:
            parts = world.app_of("gateway", process).state.dependencies
            with contextlib.suppress(Exception):
                order = parts.commands.cancel(
                    build.build_id, agent="default", project=build.plan.project, requested_by="somebody"
                )
                async with asyncio.timeout(30):
                    row = await process.spawn(order)
                world.ordered_at[row.id] = world.loop.now
                world.note(f"somebody cancels {name}: {row.state}")
                return
        await asyncio.sleep(3)


def _too_long(*_: object) -> None:
    raise Spinning("time does not go on")


def _unhandled(world: World, facts: dict[str, Any]) -> None:
    error = facts.get("exception")
    world.note(f"    unhandled: {facts.get('message')} {type(error).__name__}: {error}")
