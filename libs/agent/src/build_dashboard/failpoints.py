"""Failpoints of the agent: where a test may kill it between two durable effects (see `build_chassis.failpoints`).

`FAIL=agent.spooled:kill@3`; `FAIL_SEEN=FILE` notes each point when it is first passed. Whatever else a build's
environment means by these names is ignored: a build never fails because of them.
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

POINTS: Mapping[str, str] = {
    "agent.read": "output is read and numbered; it is not spooled",
    "agent.spooled": "records are on the disk; nothing of them is sent",
    "agent.sent": "records are in the socket; no answer has come",
    "agent.acked": "an ACK is received; the spool still has what is stored",
    "agent.verified": "a build is verified; its spool is still there",
}
"""Every point and what it lies between. Each is passed, and survives a kill, in tests/delivery."""


def fail_at(point: str) -> None:
    """Do what a test asked for here; nothing, almost always."""
    if point in _turns:
        _turns[point] -= 1
        if _turns[point] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    if point in _unseen:
        _unseen.discard(point)
        with Path(os.environ["FAIL_SEEN"]).open("a") as file:
            file.write(f"{point}\n")


def _read(text: str) -> dict[str, int]:
    plans = (plan.partition(":kill@") for plan in text.split(","))
    return {point: int(turn) for point, _, turn in plans if point in POINTS and turn.isdecimal()}


_turns = _read(os.environ.get("FAIL", ""))
_unseen = set(POINTS) if os.environ.get("FAIL_SEEN") else set()
