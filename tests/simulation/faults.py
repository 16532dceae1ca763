"""Faults: what each does to the world, and how it is undone."""

from collections.abc import Callable
from typing import Any

from simulation.agent import Agent
from simulation.machine import Process
from simulation.scenario import Fault
from simulation.world import Post, World

TERM_SECONDS = 100.0
"""By then a service that was asked to end has ended, whatever else is wrong."""

Undo = Callable[[], None]


def begin(fault: Fault, world: World) -> Undo:
    """Have it happen; returns what ends it."""
    world.note(f">>> {fault}")
    return KINDS[fault.kind](fault, world)


def _kill(fault: Fault, world: World) -> Undo:
    post = world.posts[fault.target]
    post.is_held = True
    _end(post)
    return lambda: _release(world, post)


def _terminate(fault: Fault, world: World) -> Undo:
    post = world.posts[fault.target]
    post.is_held = True
    if post.process is not None:
        post.process.leave()
        world.loop.call_later(TERM_SECONDS, _end_late, world, post, post.process)
    return lambda: _release(world, post)


def _pause(fault: Fault, world: World) -> Undo:
    process = world.posts[fault.target].process
    if process is None:
        return lambda: None
    process.stop()
    return process.go_on


def _sleep(fault: Fault, world: World) -> Undo:
    """A laptop is closed: nothing of it runs, and its monotonic clock stands still; that since boot goes on."""
    machine = world.machine(fault.target)
    asleep = [process for process in _processes_of(world, fault.target) if process.is_alive]
    for process in asleep:
        process.stop()
    began = world.loop.now

    def wake() -> None:
        machine.blocked_seconds -= world.loop.now - began
        for process in asleep:
            process.go_on()

    return wake


def _cut(fault: Fault, world: World) -> Undo:
    one, other, how = fault.target.split()
    world.network.cut(one, other, how)  # type: ignore[arg-type]
    return lambda: world.network.heal(one, other, how)  # type: ignore[arg-type]


def _slow_link(fault: Fault, world: World) -> Undo:
    pair = frozenset(fault.target.split())
    world.network.slow_seconds[pair] = fault.amount

    def undo() -> None:
        world.network.slow_seconds.pop(pair, None)

    return undo


def _disk(name: str) -> Callable[[Fault, World], Undo]:
    def begin(fault: Fault, world: World) -> Undo:
        disk = world.machine(fault.target).disk
        setattr(disk, name, True)
        return lambda: setattr(disk, name, False)

    return begin


def _slow_store(fault: Fault, world: World) -> Undo:
    disk = world.machine(fault.target).disk
    disk.slow_seconds = fault.amount
    return lambda: setattr(disk, "slow_seconds", 0.0)


def _mail(name: str) -> Callable[[Fault, World], Undo]:
    def begin(fault: Fault, world: World) -> Undo:
        setattr(world.mail, name, True)
        return lambda: setattr(world.mail, name, False)

    return begin


def _clock_jump(fault: Fault, world: World) -> Undo:
    machine = world.machine(fault.target)
    moved = max(fault.amount, -machine.wall())  # no kernel takes a time before 1970
    machine.skew_seconds += moved

    def undo() -> None:
        machine.skew_seconds -= moved

    # What builds has a wrong clock for as long as it likes; a server whose clock is wrong is put right.
    return (lambda: None) if fault.target in world.agents else undo


def _reboot(fault: Fault, world: World) -> Undo:
    """Without power for a while: what was not synced is gone."""
    agent, post = world.agents[fault.target], world.posts[f"{fault.target}/agent"]
    post.is_held = True
    _end(post)
    _cut_off(agent)
    agent.displace(forgets=False)
    lost = agent.machine.disk.lose_power(world.rng)
    if lost:
        world.note(f"    {fault.target} lost the end of {', '.join(path.rpartition('/')[2] for path in lost)}")
    agent.machine.reboot()
    return lambda: _release(world, post)


def _kill_holder(fault: Fault, world: World) -> Undo:
    _cut_off(world.agents[fault.target])
    return lambda: None


def _lost_memory_of_time(fault: Fault, world: World) -> Undo:
    """Somebody deleted what the spool remembers of the server's time, or a backup brought back something else."""
    agent = world.agents[fault.target]
    anchors = agent.spool / ".anchors"
    if anchors.exists():
        anchors.write_text("[]")
    agent.displace(forgets=True)
    return lambda: None


def _cut_off(agent: Agent) -> None:
    for build in agent.builds.values():
        if build.ended_at is None:
            build.is_cut_off = True
    for process in agent.holders:
        process.end()
    agent.holders.clear()


def _end_late(world: World, post: Post, process: Process) -> None:
    if process.is_alive and process.waiting is None:
        world.violated(f"{post.name} did not end within {TERM_SECONDS:.0f} s of SIGTERM")
        process.end()


def _end(post: Post) -> None:
    if post.process is not None:
        post.process.go_on()
        post.process.end()


def _release(world: World, post: Post) -> None:
    post.is_held = False
    world.start(post)


def _processes_of(world: World, machine: str) -> list[Any]:
    agent = world.agents[machine]
    own = world.posts[f"{machine}/agent"].process
    return [*agent.holders, *([own] if own is not None else [])]


KINDS: dict[str, Callable[[Fault, World], Undo]] = {
    "kill": _kill,
    "terminate": _terminate,
    "pause": _pause,
    "sleep": _sleep,
    "cut": _cut,
    "slow link": _slow_link,
    "full disk": _disk("is_full"),
    "full store": _disk("is_full"),
    "broken store": _disk("is_broken"),
    "read-only store": _disk("is_read_only"),
    "slow store": _slow_store,
    "mail away": _mail("is_away"),
    "mail refuses": _mail("refuses"),
    "mail answers lost": _mail("loses_answers"),
    "clock jump": _clock_jump,
    "reboot": _reboot,
    "kill holder": _kill_holder,
    "lost memory of time": _lost_memory_of_time,
}
