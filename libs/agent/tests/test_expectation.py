"""How long a running build will still take, as its log grows; time is an argument."""

from pathlib import Path

import pytest
from build_analysis.progress import Progress
from build_dashboard.evidence.build_tree import find_trees
from build_dashboard.evidence.expectation import Expectation
from build_dashboard.evidence.ninja_watch import NinjaWatch

HEADER = "# ninja log v7\n"


def line(name: str, start: int, end: int, moment: int) -> str:
    return f"{start}\t{end}\t{moment}\t{name}\t{name}hash\n"


def ninja(done: int, total: int) -> Progress:
    return Progress(done, total, 100 * done / total, "build", "CXX", "ninja")


class Clock:
    """A clock that stands until it is set."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A build of nine seconds: four compiles of one second, and a link of five."""
    path = tmp_path / ".ninja_log"
    steps = [line(f"{n}.o", n * 1000, (n + 1) * 1000, 1) for n in range(4)]
    path.write_text(HEADER + "".join(steps) + line("app", 4000, 9000, 1))
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def expectation(log, clock) -> Expectation:
    watch = NinjaWatch(find_trees(["ninja"], str(log.parent))[0])
    watch.load()
    return Expectation([watch], clock=clock)


def append(log: Path, *lines: str) -> None:
    with log.open("a") as file:
        file.writelines(lines)


def test_log_tells_what_counting_steps_cannot(expectation, log, clock) -> None:
    """Four of five steps done, and more than half of the time is still to come; then the clock runs on."""
    append(log, *(line(f"{n}.o", n * 1000, (n + 1) * 1000, 2) for n in range(4)))
    clock.seconds = 104.0

    assert 5000 == expectation.remaining_ms(ninja(4, 5))
    clock.seconds = 106.0
    assert 3000 == expectation.remaining_ms(ninja(4, 5))
    assert 0 == expectation.remaining_ms(ninja(5, 5))


def test_second_run_of_ninja_begins_anew(expectation, log, clock) -> None:
    """Times in the log fall back where a command runs ninja again: what the first run did does not count for it."""
    append(log, *(line(f"{n}.o", n * 1000, (n + 1) * 1000, 2) for n in range(4)), line("app", 4000, 9000, 2))
    clock.seconds = 109.0
    assert 0 == expectation.remaining_ms(ninja(5, 5))
    append(log, line("0.o", 0, 1000, 3))
    clock.seconds = 120.0

    assert 8000 == expectation.remaining_ms(ninja(1, 5))


def test_other_tools_are_extrapolated_from_their_own_beginning(expectation, clock) -> None:
    """make prints per cent: counted from where it began, not from its first line; then a test run begins anew."""

    def make(percent: float) -> Progress:
        return Progress(None, None, percent, "build", "CXX", "make")

    assert expectation.remaining_ms(make(20.0)) is None
    clock.seconds += 10
    assert 30_000 == expectation.remaining_ms(make(40.0))
    assert expectation.remaining_ms(Progress(0, 50, 0.0, "test", None, "lit")) is None
    clock.seconds += 5
    assert 20_000 == expectation.remaining_ms(Progress(10, 50, 20.0, "test", "a.test", "lit"))
