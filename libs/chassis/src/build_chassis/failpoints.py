"""Failpoints: the places between two durable effects, each with a name, where a test may stop or kill the process.

`FAIL=gateway.after_confirm:kill@7` kills this process with SIGKILL when it comes by the seventh time; several are
joined by commas, and what names no point of ours is somebody else's word. Actions: `kill`, `raise`, `stop` (SIGSTOP),
`delay=SECONDS`. `FAIL_SEEN=FILE` notes each point when it is first passed. Read once, at import; without these
variables a point costs one look at an empty table.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

POINTS: Mapping[str, str] = {
    "bus.taken": "the broker took a message; its publisher has no confirmation",
    "bus.handled": "a batch is handled; it is not acked",
    "bus.parked": "a copy is in `parking`; the message is not acked",
    "gateway.admitted": "records are taken from the socket; they are not published",
    "gateway.confirmed": "the broker confirmed; the window has not moved",
    "gateway.stored": "ingest's announcement is received; the agent is not notified",
    "gateway.command_stored": "a command is stored; nobody is notified",
    "ingest.decoded": "a batch is decoded; nothing of it is stored",
    "ingest.committed": "a batch is stored; nothing is announced",
    "ingest.announced": "a batch is announced; its agent is not answered",
    "ingest.merging": "small chunks are merged; they are not replaced",
    "ingest.judged": "a verdict is decided; it is not published",
    "ingest.verdict_sent": "a verdict is published; its outbox is not emptied",
    "ingest.compared": "a log is compared with its totals; what was found is not stored",
    "notifier.claimed": "the recipients are stored; the transition is not taken off its branch",
    "notifier.sending": "a notification is stored as `sending`; its channel is not asked",
    "notifier.sent": "a channel answered; its answer is not stored",
    "history.filed": "facts are stored; the rows they touch are not counted",
    "history.counted": "rows are counted; the facts' marks are not settled",
    "history.published": "changed incidents are published; they are not struck off the outbox",
    "artifacts.verified": "an artifact is stored as verified; ARTIFACT_READY is not published",
}
"""Every point and what it lies between. Each is passed, and survives a kill, in tests/delivery."""

Action = Callable[[], None]


class FailpointError(Exception):
    """What `raise` raises: an unexpected error."""


def fail_at(point: str) -> None:
    """Do what a test asked for here; nothing, almost always."""
    if _plans:
        _pass(point)


class _Plan:
    """What happens when a point is passed for the `turn`th time."""

    def __init__(self, action: Action, turn: int) -> None:
        self._action = action
        self._left = turn

    def pass_by(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._action()


def read_plans(text: str, seen: str = "") -> dict[str, list[_Plan]]:
    """The plans that the variables `FAIL` and `FAIL_SEEN` name.

    Args:
        text: `FAIL`: plans like `ingest.committed:kill@3`, separated by commas.
        seen: `FAIL_SEEN`: the file to which each point adds its name when it is first passed; none when empty.

    Returns:
        The plans of each point; points of other programs are passed over.

    Raises:
        ValueError: There is no such action.
    """
    plans: dict[str, list[_Plan]] = {}
    for plan in filter(None, text.split(",")):
        point, _, rest = plan.partition(":")
        action, _, turn = rest.partition("@")
        if point not in POINTS:
            continue
        plans.setdefault(point, []).append(_Plan(_action(point, action), int(turn or 1)))
    if seen:
        for point in POINTS:
            plans.setdefault(point, []).insert(0, _Plan(_note(point, Path(seen)), 1))
    return plans


def _action(point: str, text: str) -> Action:
    name, _, value = text.partition("=")
    if name == "kill":
        return lambda: os.kill(os.getpid(), signal.SIGKILL)
    if name == "stop":
        return lambda: os.kill(os.getpid(), signal.SIGSTOP)
    if name == "delay":
        seconds = float(value)
        return lambda: time.sleep(seconds)
    if name == "raise":
        return lambda: _raise(point)
    raise ValueError(f"FAIL: no such action: {text}")


def _raise(point: str) -> None:
    raise FailpointError(point)


def _note(point: str, seen: Path) -> Action:
    def note() -> None:
        with seen.open("a") as file:  # appended whole: several processes share the file
            file.write(f"{point}\n")

    return note


def _pass(point: str) -> None:
    for plan in _plans.get(point, ()):
        plan.pass_by()


_plans = read_plans(os.environ.get("FAIL", ""), os.environ.get("FAIL_SEEN", ""))
