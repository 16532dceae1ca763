"""When a ninja build will be over, from what its steps took last time and from what has finished by now.

Linear extrapolation takes all steps for equal; here each step weighs what it took before, the machine is judged by the
steps both builds have run, and the end of a build (few long links, idle cores) is as long as it was the last time.
Without an earlier build, or without knowing which steps finished, what is left is extrapolated from the step count.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from build_analysis.ninja_files import BuiltOutput, BuiltStep, last_whole_run, steps_of
from build_analysis.step_graph import Followers

DOUBT_STEPS = 4.0
"""So many average steps count for the machine being as fast as last time, until more steps of this build are known."""

KNOWN_STEPS = 4
"""From so many steps on this run's own concurrency is believed rather than the earlier one's."""

SAME_BUILD = 0.8
"""When at least this share of the remaining steps is known, and vice versa, it is the same build again."""

MIN_PERCENT = 2.0
"""Before this much is done, the step count alone predicts nothing."""


FindFollowers = Callable[[], Followers | None]
"""Reads the build's graph; called once, and only for builds of which the log alone shows too little."""


class PastBuild:
    """What steps took before (of all the log knows), and how the last whole build's time ran out as its work did."""

    def __init__(self, entries: Sequence[BuiltOutput]) -> None:
        latest = {entry.output: entry for entry in entries}
        self.durations_ms = {step.key: step.duration_ms for step in steps_of(latest.values())}
        ordered = sorted(last_whole_run(entries), key=lambda step: step.ended_ms)
        self.run_ms = {step.key: self.durations_ms.get(step.key, step.duration_ms) for step in ordered}
        self.work_ms = sum(step.duration_ms for step in ordered)
        self.wall_ms = ordered[-1].ended_ms if ordered else 0
        # Backwards from the end, for the work left only grows that way.
        work_left_ms = 0
        self._work_left_ms, self._time_left_ms = [0], [0]
        for place in reversed(range(len(ordered))):
            work_left_ms += ordered[place].duration_ms
            self._work_left_ms.append(work_left_ms)
            self._time_left_ms.append(self.wall_ms - (ordered[place - 1].ended_ms if place else 0))

    @property
    def concurrency(self) -> float:
        """How many steps ran at once, on average."""
        return self.work_ms / self.wall_ms if self.wall_ms else 1.0

    def time_left_ms(self, work_left_ms: float) -> float:
        """How long the earlier build still ran when so much work was left."""
        place = bisect_left(self._work_left_ms, work_left_ms)
        if place >= len(self._work_left_ms):
            return float(self.wall_ms)
        if place == 0:
            return 0.0
        below, above = self._work_left_ms[place - 1], self._work_left_ms[place]
        sooner, later = self._time_left_ms[place - 1], self._time_left_ms[place]
        return sooner + (later - sooner) * (work_left_ms - below) / (above - below)


class Forecast:
    """One run of ninja against those before: takes what finished, answers what is left."""

    def __init__(self, past: PastBuild | None, find_followers: FindFollowers = lambda: None) -> None:
        self._past = past
        self._find_followers = find_followers
        self._followers: Followers | None = None
        self._has_looked = False
        self._new_outputs: list[str] = []
        self._unfinished_ms = dict(past.durations_ms) if past else {}
        self._run_unfinished_ms = dict(past.run_ms) if past else {}
        self._ends_ms: list[int] = []
        self._work_ms = 0.0
        self._common_before_ms = 0.0
        self._common_now_ms = 0.0

    def finish(self, steps: Iterable[BuiltStep]) -> None:
        """Take steps of this run that are done.

        Args:
            steps: Each step once, as ninja's log has it.
        """
        for step in steps:
            self._new_outputs += step.outputs
            self._work_ms += step.duration_ms
            self._ends_ms.append(step.ended_ms)
            self._run_unfinished_ms.pop(step.key, None)
            before_ms = self._unfinished_ms.pop(step.key, None)
            if before_ms is not None:
                self._common_before_ms += before_ms
                self._common_now_ms += step.duration_ms

    def remaining_ms(self, done: int, total: int, elapsed_ms: float) -> int | None:
        """How long the run will still take.

        Args:
            done: How many steps have finished.
            total: How many steps there are.
            elapsed_ms: The time since the run began, in milliseconds.

        Returns:
            Milliseconds; None when it cannot be known.
        """
        if done >= total:
            return 0
        past = self._past
        if past is None or not past.wall_ms or not self._ends_ms:
            return linear_ms(done, total, elapsed_ms)
        mean_ms = past.work_ms / len(past.run_ms)
        left, known = total - done, len(self._run_unfinished_ms)
        if min(left, known) >= SAME_BUILD * max(left, known):
            work_ms = sum(self._run_unfinished_ms.values()) * left / known
            time_ms = past.time_left_ms(work_ms)
        else:
            time_ms = self._part_ms(left, mean_ms) / self._concurrency(past, elapsed_ms)
        expected_ms = time_ms * self._slowness(mean_ms)
        # A step that runs longer than expected ends soon: what is left never falls to nothing.
        since_ms = max(0.0, elapsed_ms - self._ends_ms[-1])
        return round(max(expected_ms - since_ms, expected_ms / (2 * left)))

    def _part_ms(self, left: int, mean_ms: float) -> float:
        """The work in so many steps: first those that are made from what is finished, then any others."""
        if not self._has_looked:
            self._has_looked, self._followers = True, self._find_followers()
        following_ms: list[int] = []
        others_ms = list(self._unfinished_ms.values())
        if self._followers is not None:
            self._followers.add(self._new_outputs)
            self._new_outputs.clear()
            follows = self._followers.__contains__
            following_ms = [before_ms for key, before_ms in self._unfinished_ms.items() if follows(key)]
            others_ms = [before_ms for key, before_ms in self._unfinished_ms.items() if not follows(key)]
        if len(following_ms) >= left:
            return left * sum(following_ms) / len(following_ms)
        rest_ms = sum(others_ms) / len(others_ms) if others_ms else mean_ms
        return sum(following_ms) + (left - len(following_ms)) * rest_ms

    def _slowness(self, mean_ms: float) -> float:
        doubt_ms = DOUBT_STEPS * mean_ms
        return (self._common_now_ms + doubt_ms) / (self._common_before_ms + doubt_ms)

    def _concurrency(self, past: PastBuild, elapsed_ms: float) -> float:
        """How many steps run at once: as many as explain the time, if each finished one made room for the next."""
        if len(self._ends_ms) < KNOWN_STEPS:
            return max(past.concurrency, 1.0)
        best, least_ms, running_ms = 1, float("inf"), 0.0
        for count, end_ms in enumerate(reversed(self._ends_ms), 1):
            running_ms += elapsed_ms - end_ms
            unexplained_ms = abs(count * elapsed_ms - self._work_ms - running_ms)
            if unexplained_ms < least_ms:
                best, least_ms = count, unexplained_ms
        return float(best)


def linear_ms(done: float, total: float, elapsed_ms: float) -> int | None:
    """What is left of a run if every step takes the same time.

    Args:
        done: How many steps have finished.
        total: How many steps there are.
        elapsed_ms: The time since the run began, in milliseconds.

    Returns:
        Milliseconds; None before the forecast can mean anything.
    """
    if done <= 0 or 100 * done < MIN_PERCENT * total:
        return None
    return round(elapsed_ms * (total - done) / done)
