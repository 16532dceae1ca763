"""Handlers: a person's functions, called when a build starts or ends; what they raise never harms the build."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar

logger = logging.getLogger("build_dashboard")

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Handlers:
    """Functions by occasion, plain or async, called one after the other."""

    def __init__(self) -> None:
        self._functions: dict[str, list[Callable[..., Any]]] = {}

    def add(self, occasion: str, function: Handler) -> Handler:
        """Call this function too; for use as a decorator, so the function itself is returned."""
        self._functions.setdefault(occasion, []).append(function)
        return function

    def call(self, occasion: str, *arguments: object) -> None:
        """Call every function of this occasion."""
        for function in self._functions.get(occasion, ()):
            try:
                outcome = function(*arguments)
                if inspect.isawaitable(outcome):
                    asyncio.run(_wait_for(outcome))
            except Exception:
                logger.exception("handler %s of %s failed", getattr(function, "__name__", function), occasion)


async def _wait_for(outcome: Any) -> None:
    await outcome
