"""Signals to the agent: the build's while it runs, then an end to the wait for delivery."""

import signal

from build_dashboard.holder.holding import Holding


class Signals:
    """Passes signals on to the build while it runs; afterwards they end the wait for delivery."""

    def __init__(self, holding: Holding) -> None:
        self.is_hurried = False
        self._holding: Holding | None = holding
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._take)

    def build_is_over(self) -> None:
        """Nothing is left to signal."""
        self._holding = None

    def _take(self, number: int, _frame: object) -> None:
        if self._holding is not None:
            self._holding.signal(number)
        else:
            self.is_hurried = True
