"""Failpoints do what `FAIL` says, where and when it says so, and nothing otherwise."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from build_chassis.failpoints import POINTS, FailpointError, read_plans

CHECKOUT = Path(__file__).parents[3]
CALL = re.compile(r'fail_at\("([a-z._]+)"\)')


def pass_by(plans: str, *points: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = "from build_chassis.failpoints import fail_at\n" + "".join(
        f"fail_at({point!r}); print({point!r}, flush=True)\n" for point in points
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "FAIL": plans, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_kill_comes_at_its_turn() -> None:
    """The second passing of a point ends the process as `kill -9` does; the first, and other points, do nothing."""
    ended = pass_by("bus.taken:kill@2", "bus.taken", "bus.handled", "bus.taken")

    assert (-signal.SIGKILL, "bus.taken\nbus.handled\n") == (ended.returncode, ended.stdout)


def test_what_is_not_ours_is_ignored() -> None:
    """`FAIL` may mean something else to whoever set it."""
    assert "bus.taken\n" == pass_by("1,some.thing:kill", "bus.taken").stdout
    with pytest.raises(ValueError, match="no such action"):
        read_plans("bus.taken:explode")


def test_raise_raises() -> None:
    """`raise` is an unexpected error."""
    (plan,) = read_plans("bus.taken:raise")["bus.taken"]

    with pytest.raises(FailpointError):
        plan.pass_by()


def test_points_passed_are_noted_once(tmp_path: Path) -> None:
    """`FAIL_SEEN` records which points a run passed."""
    pass_by("", "bus.taken", "bus.taken", "bus.handled", FAIL_SEEN=str(tmp_path / "seen"))

    assert "bus.taken\nbus.handled\n" == (tmp_path / "seen").read_text()


def test_every_point_is_in_the_sources() -> None:
    """A point that is called is described, and one that is described is called."""
    sources = [*CHECKOUT.glob("libs/chassis/src/**/*.py"), *CHECKOUT.glob("services/*/src/**/*.py")]

    called = {point for source in sources for point in CALL.findall(source.read_text())}

    assert set(POINTS) == called
