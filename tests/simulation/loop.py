"""The event loop of the simulation: virtual time, and code that stops dead when its process is killed.

Time jumps to the next timer as soon as nothing can run. Every callback belongs to the process in whose context it was
scheduled: that of a killed process never runs again, that of a stopped one waits until it goes on.
"""

import asyncio
import heapq
from asyncio import events, futures, tasks
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Protocol

from typing_extensions import override

TICK_SECONDS = 1e-6
"""No wait is shorter: a clock that shows a larger number may round less than this away, and who waits for it spin."""


RUN_SECONDS = 5e-6
"""What runs takes time: else who looks again and again until a moment has come would look for ever."""


class Owner(Protocol):
    """A process, as far as the loop needs it."""

    is_alive: bool
    waiting: list[asyncio.Handle] | None
    """What became due while it is stopped; None while it runs."""

    tasks: "list[asyncio.Task[Any]]"

    def disk_seconds(self) -> float:
        """How long the next access to the disk takes."""


PROCESS: ContextVar[Owner | None] = ContextVar("process", default=None)


class _Handle(events.Handle):
    def _run(self) -> None:
        if _may_run(self):
            super()._run()


class _TimerHandle(events.TimerHandle):
    def _run(self) -> None:
        if _may_run(self):
            super()._run()


def _may_run(handle: Any) -> bool:
    process = handle._context.get(PROCESS)
    if process is None:
        return True
    if not process.is_alive:
        return False
    if process.waiting is not None:
        process.waiting.append(handle)
        return False
    return True


class NothingToDo(Exception):
    """Everybody waits for ever: the simulation is stuck."""


class _Selector:
    """In place of files and sockets: waits by moving the clock on."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise NothingToDo
        if timeout > 0:
            self._loop.now = max(self._loop.now, self._loop._scheduled[0].when())
        else:
            self._loop.now += RUN_SECONDS
        return []


class _Future(futures.Future):
    """A future whose hash does not depend on where it lies in memory: sets of them have one order in every run."""

    def __init__(self, *, loop: "VirtualLoop") -> None:
        self._number = loop.next_number()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Task(tasks.Task):
    def __init__(self, coro: Any, *, loop: "VirtualLoop", **options: Any) -> None:
        self._number = loop.next_number()
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs as fast as it can; `time()` is simulated seconds since its beginning."""

    _scheduled: list[asyncio.TimerHandle]
    _ready: "deque[asyncio.Handle]"

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._numbers = 0
        self._selector = _Selector(self)
        self._clock_resolution = 1e-9
        self.set_task_factory(_make_task)  # type: ignore[arg-type]  # the protocol names fewer options than are given

    def next_number(self) -> int:
        """The number of the next task or future."""
        self._numbers += 1
        return self._numbers

    @override
    def time(self) -> float:
        return self.now

    @override
    def create_future(self) -> "asyncio.Future[Any]":
        return _Future(loop=self)

    def call_soon_threadsafe(  # type: ignore[override]  # the same, with fewer types
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]  # the same, with fewer types
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _TimerHandle(max(when, self.now + TICK_SECONDS), callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # as the base class does
        return timer

    def _call_soon(self, callback: Any, args: Any, context: Context | None) -> asyncio.Handle:
        self.steps += 1
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def run_in_executor(  # type: ignore[override]  # the same, with fewer types
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Run it here, after as long as a disk takes."""
        future: asyncio.Future[Any] = self.create_future()
        process = PROCESS.get()

        def run() -> None:
            if future.done():
                return
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001  handed to whoever awaits it
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_later(0.0 if process is None else process.disk_seconds(), run)
        return future

    def go_on(self, process: Owner) -> None:
        """Run what became due while a process was stopped."""
        handles, process.waiting = process.waiting or [], None
        for handle in handles:
            if not handle._cancelled:
                self._ready.append(handle)

    def _process_events(self, event_list: Any) -> None:
        return

    def _write_to_self(self) -> None:
        return


def _make_task(loop: Any, coro: Coroutine[Any, Any, Any], **options: Any) -> "asyncio.Task[Any]":
    task = _Task(coro, loop=loop, **options)
    context: Context = options.get("context") or copy_context()
    process = context.get(PROCESS)
    if process is not None:
        # Kept for ever: what is forgotten is closed by the interpreter, and would do what a killed process cannot.
        process.tasks.append(task)
        if len(process.tasks) > 4096:
            process.tasks[:] = [one for one in process.tasks if not one.done()]
    return task
