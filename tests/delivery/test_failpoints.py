"""A process is killed between every two durable effects; afterwards every promise is checked."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from build_chassis.failpoints import POINTS
from build_dashboard.failpoints import POINTS as AGENT_POINTS
from delivery.arena import Arena, wait_until
from delivery.bout import STORY, Bout

FULL = bool(os.environ.get("FULL"))
OWNERS = {
    "bus.taken": ("gateway", "gateway-2"),
    "bus.handled": ("ingest", "ingest-2"),
    "bus.parked": ("ingest", "ingest-2"),
    "gateway": ("gateway", "gateway-2"),
    "ingest": ("ingest", "ingest-2"),
    "notifier": ("notifier",),
    "history": ("history",),
    "artifacts": ("artifacts",),
}
"""Who is killed at a point: at one of its name, else of its prefix."""

TURNS = {"bus.taken": 9, "bus.handled": 3, "ingest.decoded": 3, "ingest.committed": 3, "ingest.announced": 3}
"""At which passing, where the first is too soon to have anything behind it."""

IN_CI = {"bus.parked", "ingest.committed", "ingest.verdict_sent", "notifier.sent", "agent.spooled"}

pytestmark = [
    pytest.mark.delivery,
    pytest.mark.slow,
    pytest.mark.rabbitmq,
    pytest.mark.mariadb,
    pytest.mark.timeout(600),
]


def chosen(points: object) -> list[str]:
    """Those that run now: a selection, or with FULL=1 all."""
    return [point for point in points if point in IN_CI or FULL]  # type: ignore[attr-defined]


def run_all_roads(bout: Bout) -> None:
    """Whatever passes a point beside streaming: a poison message, and a command."""
    bout.poison()
    with suppress(OSError):
        bout.order_in_vain()


@pytest.mark.parametrize("point", chosen(POINTS))
def test_a_kill_between_two_effects_breaks_no_promise(point: str, separate: Arena) -> None:
    """Whoever comes next finds one of them done and not the other, and goes on."""
    owners = OWNERS.get(point) or OWNERS[point.partition(".")[0]]
    for owner in owners:
        separate.restart_with(owner, FAIL=f"{point}:kill@{TURNS.get(point, 1)}")
    deaths = separate.deaths.copy()

    with Bout(separate, story=STORY, brings_artifact=point.startswith("artifacts"), lines=80) as bout:
        bout.wait_stored(1)
        run_all_roads(bout)
        bout.settle()

        assert [] == bout.verdict()
    assert any(separate.deaths[owner] > deaths[owner] for owner in owners), "nobody came by"


@pytest.mark.parametrize("point", chosen(AGENT_POINTS))
def test_a_killed_agent_loses_nothing(point: str, embedded: Arena) -> None:
    """Its holder, its build and its spool go on; whoever comes next delivers."""
    with Bout(
        embedded, harsh=0, agent_environment={"FAIL": f"{point}:kill@{2 if point != 'agent.verified' else 1}"}
    ) as bout:
        bout.settle()

        assert [] == bout.verdict()
        assert bout.exit_codes == [-9], "the agent was not killed"


def test_every_point_is_passed(separate: Arena, tmp_path: Path) -> None:
    """A point that no run comes by proves nothing."""
    seen = tmp_path / "seen"
    for name in separate.processes:
        separate.restart_with(name, FAIL_SEEN=str(seen))

    with Bout(
        separate, story=STORY, brings_artifact=True, agent_environment={"FAIL_SEEN": str(seen)}, lines=80
    ) as bout:
        bout.wait_stored(1)
        run_all_roads(bout)
        bout.settle()
        wait_until(
            lambda: set(POINTS) | set(AGENT_POINTS) == set(seen.read_text().split()),
            20,
            lambda: f"passed: {sorted((set(POINTS) | set(AGENT_POINTS)) - set(seen.read_text().split()))}",
        )

        assert [] == bout.verdict()
