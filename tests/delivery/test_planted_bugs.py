"""The checker is checked: every planted bug turns it red, and without any it stays green."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from delivery.arena import Arena, embedded_arena
from delivery.bout import GREEN, STORY, Bout
from delivery.planted import BUGS, Bug

PLANTED = Path(__file__).with_name("planted.py")
FULL = bool(os.environ.get("FULL"))
SHORT_SECONDS = 8.0
"""A bug may keep a bout from its end: then what is there is judged."""

pytestmark = [pytest.mark.delivery, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("planted") / "bug"
    path.write_text("")
    return path


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, switch: Path) -> Iterator[Arena]:
    """One system that has every bug, all asleep."""
    directory = tmp_path_factory.mktemp("planted-system")
    with embedded_arena(directory, {"PLANTED_BUG": str(switch)}, program=[sys.executable, str(PLANTED)]) as arena:
        yield arena


def test_without_a_bug_the_checker_is_green(planted: Arena) -> None:
    """The same system, the same bout, no bug awake."""
    with Bout(planted, harsh=1, lines=40, seconds=1) as bout:
        bout.settle()

        assert [] == bout.verdict()


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in BUGS if bug.in_ci or FULL])
def test_a_planted_bug_turns_the_checker_red(bug: Bug, planted: Arena, switch: Path) -> None:
    """What the product must never do is seen when it does."""
    if bug.fail:
        planted.restart_with("embedded", FAIL=bug.fail)
    switch.write_text(bug.name)
    try:
        story = STORY if bug.is_story else GREEN
        with Bout(planted, story=story, harsh=1, lines=60, seconds=2, patience_seconds=SHORT_SECONDS) as bout:
            with suppress(TimeoutError):
                bout.settle(SHORT_SECONDS * (3 if bug.is_story else 1))
            found = bout.verdict()
    finally:
        switch.write_text("")

    assert found
