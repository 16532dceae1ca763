"""Draining: at SIGTERM the agents are sent DRAIN before the server closes their sockets."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger("gateway")
DRAIN_SECONDS = 0.5
"""From DRAIN to the server's own stop, which closes the remaining sockets with 1012."""


@contextmanager
def drain_first(
    drain: Callable[[], None], *, signum: signal.Signals = signal.SIGTERM, seconds: float = DRAIN_SECONDS
) -> Iterator[None]:
    """While the context lasts the signal drains, then calls its earlier handler; a second signal calls it at once."""
    server_stop = signal.getsignal(signum)
    if threading.current_thread() is not threading.main_thread() or not callable(server_stop):
        # Nothing would stop the server after draining, or signals are handled by another thread.
        yield
        return
    loop = asyncio.get_running_loop()
    is_draining = False

    def stop() -> None:
        server_stop(signum, None)

    def begin() -> None:
        logger.info("drain, then stop")
        drain()
        loop.call_later(seconds, stop)

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_draining
        if is_draining:
            server_stop(number, frame)
            return
        is_draining = True
        loop.call_soon_threadsafe(begin)

    signal.signal(signum, handle)
    try:
        yield
    finally:
        if signal.getsignal(signum) is handle:
            signal.signal(signum, server_stop)
