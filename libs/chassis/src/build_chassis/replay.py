"""Replay: what an outage set aside by count goes back to its queue once what it depends on has been healthy."""

from build_chassis.bus.contract import Bus
from build_chassis.health import Health
from build_chassis.supervisor import Duty

HEALTHY_SECONDS = 600.0
"""Every probe must have succeeded, and nothing been found away, for so long."""

PROBE_SECONDS = 30.0


def replay_duty(bus: Bus, service: str, health: Health) -> Duty:
    """The duty of a service that consumes.

    Args:
        bus: An open bus.
        service: Whose queues.
        health: What its consumers know about what they depend on.
    """

    async def step() -> int:
        await health.probe()
        return await bus.replay_returned(service) if health.healthy_seconds() >= HEALTHY_SECONDS else 0

    return Duty("replay what came back too often", step, PROBE_SECONDS)
