"""Back-off: how long to wait before the next try."""

import random
from collections.abc import Callable


class Backoff:
    """Waits drawn evenly from windows that double up to a cap, so that those who failed together return apart."""

    def __init__(
        self, first_seconds: float = 0.2, max_seconds: float = 5.0, draw: Callable[[], float] = random.random
    ) -> None:
        self._first_seconds = first_seconds
        self._max_seconds = max_seconds
        self._draw = draw
        self._window_seconds = first_seconds

    def next_seconds(self) -> float:
        """The next wait, in seconds; never zero."""
        window, self._window_seconds = self._window_seconds, min(self._window_seconds * 2, self._max_seconds)
        return window * (0.1 + 0.9 * self._draw())

    def reset(self) -> None:
        """Something went well: begin with the first window again."""
        self._window_seconds = self._first_seconds
