"""The expectation: how long the running build will still take, by ninja's log where there is one."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from build_analysis.eta import Forecast, linear_ms
from build_analysis.ninja_files import steps_of
from build_analysis.progress import Progress
from build_analysis.step_graph import Followers

from build_dashboard.evidence.ninja_watch import NinjaWatch
from build_dashboard.evidence.step_report import read_graph

GRAPH_BYTES = 16 * 1024 * 1024
"""A larger graph is not read for an incremental build: it takes about 15 ms of CPU for each MiB, once."""


class Expectation:
    """Asked with each reported progress, from one thread. When a command runs ninja several times: of the run now."""

    def __init__(self, watches: Sequence[NinjaWatch], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._watches = watches
        self._clock = clock
        self._forecast: Forecast | None = None
        self._run_began = 0.0  # by ninja's own times
        self._last_end_ms = 0
        self._first: Progress | None = None
        self._first_at = 0.0
        self._last_done = 0.0

    def remaining_ms(self, seen: Progress) -> int | None:
        """As expected now; None when it cannot be known."""
        now = self._clock()
        done = float(seen.done if seen.done is not None else seen.percent or 0.0)
        if self._first is None or self._first.tool != seen.tool or done < self._last_done:
            self._first, self._first_at = seen, now
        self._last_done = done
        if seen.tool == "ninja":
            self._follow(now)
            if self._forecast is not None and seen.done is not None and seen.total is not None:
                return self._forecast.remaining_ms(seen.done, seen.total, 1000 * (now - self._run_began))
        return self._linear_ms(seen, now)

    def _follow(self, now: float) -> None:
        for watch in self._watches:
            new = watch.read_new() if watch.past is not None else ()
            for step in steps_of(new):
                # Times begin anew with every run of ninja.
                if self._forecast is None or step.ended_ms < self._last_end_ms:
                    self._forecast, self._run_began = Forecast(watch.past, partial(_followers, watch.tree.path)), now
                self._forecast.finish([step])
                self._last_end_ms = step.ended_ms
            if new:
                self._run_began = min(self._run_began, now - self._last_end_ms / 1000)

    def _linear_ms(self, seen: Progress, now: float) -> int | None:
        if self._first is None or seen.percent is None:
            return None
        begun = self._first.percent or 0.0
        return linear_ms(seen.percent - begun, 100.0 - begun, 1000 * (now - self._first_at))


def _followers(tree: str) -> Followers | None:
    graph = read_graph(tree, GRAPH_BYTES)
    return Followers(graph) if graph is not None else None
