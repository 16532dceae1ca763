"""Vital tasks: work without which a service answers, looks healthy and does nothing.

Such a task never ends by itself. When it fails all the same, the process stops in order, so that whoever supervises it
starts it again: better a restart that everybody sees than a service that is only half there.
"""

import asyncio
import logging
import os
import signal
from functools import partial
from typing import Any, TypeVar

from build_chassis.errors import Unusable

log = logging.getLogger(__name__)
T = TypeVar("T")

_is_serving = False


def serving() -> None:
    """From now on this process is a server, which a failed vital task stops; in tests it only logs."""
    global _is_serving  # noqa: PLW0603  one process is one server
    _is_serving = True


def vital(task: "asyncio.Task[T]", *, may_end: bool = False) -> "asyncio.Task[T]":
    """Watch a task without which the service is of no use: its failure is logged and stops the server.

    Args:
        task: The task to watch.
        may_end: Whether the task may end without failing; else its end stops the server, too, unless it was cancelled.

    Returns:
        The same task.
    """
    task.add_done_callback(partial(_look_at, may_end=may_end))
    return task


def _look_at(task: "asyncio.Task[Any]", *, may_end: bool) -> None:
    if task.cancelled() or (may_end and task.exception() is None):
        return
    error = task.exception()
    if isinstance(error, Unusable):
        log.critical("stop: %s", error)  # whoever runs the server reads this; a traceback would only hide it
    else:
        log.critical("task %s has ended and cannot be done without: stop", task.get_name(), exc_info=error)
    if _is_serving:
        os.kill(os.getpid(), signal.SIGTERM)
