"""Services away for ten minutes of traffic catch up to the same result: `FULL=1`; AWAY_SECONDS makes it shorter."""

import os
import time

import pytest
from delivery.arena import Arena, wait_ready
from delivery.bout import Bout
from delivery.report import report

AWAY_SECONDS = float(os.environ.get("AWAY_SECONDS", "600"))
STORY = (False, True, True, False)
"""Green before the outage; broken, still broken and fixed during it."""

SERVICES = {
    "ingest": ("ingest", "ingest-2"),
    "notifier": ("notifier",),
    "artifacts": ("artifacts",),
    "history": ("history",),
    "every consumer": ("ingest", "ingest-2", "notifier", "artifacts", "history"),
}

pytestmark = [
    pytest.mark.delivery,
    pytest.mark.slow,
    pytest.mark.rabbitmq,
    pytest.mark.mariadb,
    pytest.mark.timeout(2 * AWAY_SECONDS + 900),
    pytest.mark.skipif(not os.environ.get("FULL"), reason="minutes long: FULL=1"),
]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_away_during_traffic_catches_up_to_the_same(service: str, separate: Arena) -> None:
    """Builds start, stream, break, are fixed and bring artifacts without it; then nothing shows that it was away."""
    began = time.monotonic()
    lines = round(AWAY_SECONDS)
    with Bout(
        separate,
        story=STORY,
        lines=lines,
        seconds=AWAY_SECONDS,
        brings_artifact=True,
        patience_seconds=240,
        pauses=True,
    ) as bout:
        bout.wait_first_counted()
        away_at = time.monotonic()
        for name in SERVICES[service]:
            separate.take_away(name)
        bout.leave_alone(AWAY_SECONDS / len(STORY))
        time.sleep(AWAY_SECONDS)
        for name in SERVICES[service]:
            separate.bring_back(name)
        for name in SERVICES[service]:
            wait_ready(separate.processes[name])
        back_at = time.monotonic()
        bout.is_back()
        bout.settle(300)
        settled = time.monotonic() - back_at
        faults = bout.verdict()
    report(
        fault=f"{service}: away {back_at - away_at:.0f} s, while it streams",
        seconds=round(time.monotonic() - began, 1),
        faults=faults,
        settled_seconds=round(settled, 1),
    )

    assert [] == faults
