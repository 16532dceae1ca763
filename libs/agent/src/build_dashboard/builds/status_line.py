"""The status line: the terminal's last row, kept free of the build's output, shows how far the build is.

The rows above scroll as ever; the command does not notice it. Drawn on standard error, each time with one write.
"""

import contextlib
import os
import threading
from collections.abc import Callable

from build_analysis.progress import Progress

from build_dashboard.builds.console import draw
from build_dashboard.evidence.compiler_cache import Lookups

DRAW_SECONDS = 1.0
COUNT_DRAWS = 15
"""The compiler cache is asked with every so manieth drawing."""

ROWS_MIN = 4

Look = Callable[[], tuple[Progress | None, int | None, str | None]]
"""How far the build is, how many milliseconds are left, and where its page is."""

Count = Callable[[], Lookups | None]


class StatusLine:
    """Drawn by a thread of its own from `start` until `stop`, which leaves the terminal as it was."""

    def __init__(self, look: Look, count: Count) -> None:
        self._look = look
        self._count = count
        self._size: os.terminal_size | None = None
        self._lookups: Lookups | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="status-line", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def stop(self) -> None:
        """Give the row back."""
        self._stop.set()
        self._thread.join()
        if self._size is not None:
            draw(f"\x1b7\x1b[r\x1b[{self._size.lines};1H\x1b[2K\x1b8")

    def _draw(self) -> None:
        draws = 0
        while not self._stop.is_set():
            if draws % COUNT_DRAWS == COUNT_DRAWS - 1:
                self._lookups = self._count()
            draws += 1
            with contextlib.suppress(OSError):
                size = os.get_terminal_size(2)
                if size.lines >= ROWS_MIN:
                    if size != self._size:
                        self._reserve(size)
                    text = status_text(*self._look(), self._lookups, size.columns)
                    draw(f"\x1b7\x1b[{size.lines};1H\x1b[2K\x1b[7m{text}\x1b[27m\x1b8")
            self._stop.wait(DRAW_SECONDS)

    def _reserve(self, size: os.terminal_size) -> None:
        # The line feed first: a cursor in the last row must not write over what we draw there.
        draw(f"\n\x1b7\x1b[1;{size.lines - 1}r\x1b8\x1b[1A")
        self._size = size


def status_text(
    progress: Progress | None, remaining_ms: int | None, link: str | None, lookups: Lookups | None, columns: int
) -> str:
    """What the row says, cut to its width; the link is left out first, for half of one is of no use."""
    parts = []
    if progress is not None and progress.total is not None:
        parts.append(f"{progress.done or 0}/{progress.total}")
    if progress is not None and progress.percent is not None:
        parts.append(f"{progress.percent:.0f} %")
    if remaining_ms is not None:
        parts.append(f"{_duration(remaining_ms)} left")
    if lookups is not None:
        parts.append(f"cache {100 * lookups.hits / (lookups.hits + lookups.misses):.0f} %")
    parts = parts or ["building"]
    whole = " | ".join([*parts, *([link] if link else [])])
    return whole if len(whole) < columns else " | ".join(parts)[: columns - 1]


def _duration(milliseconds: int) -> str:
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
