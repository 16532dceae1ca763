"""Vital tasks: work without which a service answers, looks healthy and does nothing.

Such a task never ends by itself. When it fails all the same, the process stops in order, so that whoever supervises it
starts it again: better a restart that everybody sees than a service that is only half there.
"""

import asyncio
import logging
import os
import signal
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")

_is_serving = False


def serving() -> None:
    """From now on this process is a server, which a failed vital task stops; in tests it is only told."""
    global _is_serving  # noqa: PLW0603  one process is one server
    _is_serving = True


def vital(task: "asyncio.Task[T]") -> "asyncio.Task[T]":
    """The same task, watched: its failure, or its end without being cancelled, is told and stops the server."""
    task.add_done_callback(_look_at)
    return task


def _look_at(task: "asyncio.Task[Any]") -> None:
    if task.cancelled():
        return
    log.critical("task %s has ended and cannot be done without: stop", task.get_name(), exc_info=task.exception())
    if _is_serving:
        os.kill(os.getpid(), signal.SIGTERM)
