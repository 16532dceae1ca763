"""Faults happen to real processes while builds stream and viewers watch; afterwards every promise is checked."""

import os
import time

import pytest
from delivery.arena import Arena
from delivery.bout import Bout
from delivery.faults import EMBEDDED, ENDING, SEPARATE, STARTING, Fault
from delivery.report import report

FULL = bool(os.environ.get("FULL"))

pytestmark = [pytest.mark.delivery, pytest.mark.slow, pytest.mark.timeout(600)]


def chosen(faults: list[Fault]) -> list[object]:
    """Those that run now: a selection, or with FULL=1 all."""
    return [pytest.param(fault, id=fault.name) for fault in faults if fault.in_ci or FULL]


@pytest.mark.rabbitmq
@pytest.mark.mariadb
@pytest.mark.parametrize("fault", chosen(SEPARATE))
def test_a_fault_breaks_no_promise(fault: Fault, separate: Arena) -> None:
    """On separate processes, RabbitMQ and MariaDB."""
    endure(fault, separate)


@pytest.mark.parametrize("fault", chosen(EMBEDDED))
def test_a_fault_breaks_no_promise_of_the_embedded_system(fault: Fault, embedded: Arena) -> None:
    """In one process, on its own bus."""
    endure(fault, embedded)


def endure(fault: Fault, arena: Arena) -> None:
    began = time.monotonic()
    faults = ["did not come to its end"]
    try:
        with Bout(arena, story=fault.story, brings_artifact=fault.brings_artifact) as bout:
            if fault.phase == ENDING:
                bout.wait_nearly_all_stored()
            elif fault.phase != STARTING:
                bout.wait_stored(8)
            fault.happen(bout)
            bout.settle()
            faults = bout.verdict()
    finally:
        report(fault=fault.name, seconds=round(time.monotonic() - began, 1), faults=faults)

    assert [] == faults
