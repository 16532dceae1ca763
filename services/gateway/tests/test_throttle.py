"""The throttle: each failure doubles the wait."""

from build_gateway.accounts.throttle import FORGOTTEN_SECONDS, LONGEST_SECONDS, REMEMBERED, Throttle


def test_failures_beyond_the_free_ones_double_the_wait() -> None:
    """One, two, four seconds; a success forgets; other names are not touched."""
    throttle = Throttle(free=2)
    waits = []
    for _ in range(5):
        throttle.failed("ann", now=0.0)
        waits.append(throttle.wait_seconds("ann", now=0.0))

    assert waits == [0.0, 1.0, 2.0, 4.0, 8.0]
    assert throttle.wait_seconds("ann", now=8.0) == 0.0
    assert throttle.wait_seconds("bob", now=0.0) == 0.0
    throttle.succeeded("ann")
    assert throttle.wait_seconds("ann", now=0.0) == 0.0


def test_the_wait_and_the_memory_are_bounded() -> None:
    """No account is locked for good, and a flood of names costs no memory."""
    throttle = Throttle(free=0)
    for _ in range(100):
        throttle.failed("ann", now=0.0)
    assert throttle.wait_seconds("ann", now=0.0) == LONGEST_SECONDS

    for number in range(REMEMBERED + 1):
        throttle.failed(str(number), now=0.0)
    assert throttle.wait_seconds("ann", now=0.0) == 0.0


def test_what_runs_counts_until_its_result_is_known() -> None:
    """As many run at once as may fail for free; beyond them an attempt waits for results, and alone it never does."""
    throttle = Throttle(free=2)
    assert not throttle.is_crowded("ann", now=0.0)
    throttle.began("ann")
    assert not throttle.is_crowded("ann", now=0.0)
    throttle.began("ann")
    assert throttle.is_crowded("ann", now=0.0)
    assert not throttle.is_crowded("bob", now=0.0)

    throttle.failed("ann", now=0.0)
    throttle.ended("ann")
    assert throttle.is_crowded("ann", now=0.0)
    throttle.ended("ann")
    assert not throttle.is_crowded("ann", now=0.0)


def test_an_hour_later_nothing_is_held_against_a_name() -> None:
    """Forgotten failures neither wait nor leave fewer free ones."""
    throttle = Throttle(free=2)
    for _ in range(9):
        throttle.failed("ann", now=0.0)

    later = FORGOTTEN_SECONDS + LONGEST_SECONDS
    assert throttle.count("ann", now=later) == 0
    assert throttle.wait_seconds("ann", now=later) == 0.0
    assert throttle.wait_seconds("ann", now=later, free=0) == 0.0
