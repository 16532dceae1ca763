"""Handlers: a person's functions, called when a build starts, prints or ends; what they raise affects nothing else."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

logger = logging.getLogger("build_dashboard")

Handler = TypeVar("Handler", bound=Callable[..., Any])

# What each occasion's function is called with; what it returns is awaited where it can be, and ignored.
BuildHandler = TypeVar("BuildHandler", bound=Callable[[str], object])
CompleteHandler = TypeVar("CompleteHandler", bound=Callable[[str, "BuildStatus"], object])
ProgressHandler = TypeVar("ProgressHandler", bound=Callable[[str, float], object])
LogHandler = TypeVar("LogHandler", bound=Callable[[str, list[str]], object])

BuildStatus = Literal["succeeded", "failed", "cancelled", "timed_out"]


class Handlers:
    """Functions by occasion, plain or async, called one after the other."""

    def __init__(self) -> None:
        self._functions: dict[str, list[Callable[..., Any]]] = {}

    def add(self, occasion: str, function: Handler) -> Handler:
        """Call this function too; for use as a decorator, so the function itself is returned."""
        self._functions.setdefault(occasion, []).append(function)
        return function

    def has(self, occasion: str) -> bool:
        """Whether anybody wants to be called then."""
        return occasion in self._functions

    def call_aside(self, occasion: str, *arguments: object) -> None:
        """Call every function of this occasion, in a thread of their own."""
        if self.has(occasion):
            threading.Thread(target=self.call, args=(occasion, *arguments), name=f"on-{occasion}", daemon=True).start()

    def call(self, occasion: str, *arguments: object) -> None:
        """Call every function of this occasion."""
        for function in self._functions.get(occasion, ()):
            try:
                outcome = function(*arguments)
                if inspect.isawaitable(outcome):
                    _run(outcome)
            except Exception:
                logger.exception("handler %s of %s failed", getattr(function, "__name__", function), occasion)


def _run(outcome: Awaitable[Any]) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(_wait_for(outcome))
        return
    # We are called from a loop of the person's own, which must not wait for itself.
    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, _wait_for(outcome)).result()


async def _wait_for(outcome: Awaitable[Any]) -> None:
    await outcome
