"""The slowest steps, followed over builds."""

from build_history.builds.fact import with_verdict
from build_history.projections.slow_steps import slowest_steps
from build_protocol.messages import StepTime


def test_a_slow_step_is_followed_over_the_builds_that_tell(builds):
    """The newest build names the steps; older ones say how long they took; configs are kept apart."""

    def fact(n, config="release", **steps):
        slowest = [StepTime(output=output, duration_ms=ms) for output, ms in steps.items()]
        return with_verdict(None, builds.verdict(n, config=config)).model_copy(update={"slowest": slowest})

    found = slowest_steps([fact(1, a=10, b=50), fact(3, a=90, c=30), fact(2, a=20), fact(3, "asan", z=60)])

    assert [(s.config, s.output, s.latest_ms, [b.duration_ms for b in s.builds]) for s in found] == [
        ("release", "a", 90, [90, 20, 10]),
        ("asan", "z", 60, [60]),
        ("release", "c", 30, [30]),
    ]
