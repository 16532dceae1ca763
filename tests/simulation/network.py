"""The network: delays, cuts and half-open links between machines; calls and WebSockets over it."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from functools import partial
from typing import Any, Literal, TypeVar

from simulation.loop import PROCESS, VirtualLoop
from simulation.machine import Process

T = TypeVar("T")
Cut = Literal["both", "there", "back"]
KEEPALIVE_SECONDS = 40.0
"""Two pings of 20 s each: by then either end of a dead connection knows."""

BUFFER_BYTES = 256 * 1024


class Unreachable(ConnectionError):
    """Nobody answered. `is_sent`: it may have been done all the same."""

    def __init__(self, reason: str, *, is_sent: bool) -> None:
        super().__init__(reason)
        self.is_sent = is_sent


class Network:
    """Which machine reaches which, and how fast."""

    def __init__(self, loop: VirtualLoop, rng: random.Random) -> None:
        self.loop = loop
        self.slow_seconds: dict[frozenset[str], float] = {}
        self.is_duplicating = False
        self._cuts: dict[tuple[str, str], int] = {}
        self._rng = rng
        self._healed = asyncio.Event()
        self.on_cut: list[Callable[[str, str], None]] = []
        self.on_heal: list[Callable[[], None]] = []

    def cut(self, one: str, other: str, how: Cut) -> None:
        """What is sent is lost: in both directions, or in one."""
        for pair in _pairs(one, other, how):
            self._cuts[pair] = self._cuts.get(pair, 0) + 1
        for notice in list(self.on_cut):
            notice(one, other)

    def heal(self, one: str, other: str, how: Cut) -> None:
        """Undo a cut."""
        for pair in _pairs(one, other, how):
            self._cuts[pair] -= 1
        healed, self._healed = self._healed, asyncio.Event()
        healed.set()
        for notice in list(self.on_heal):
            notice()

    def passes(self, sender: str, receiver: str) -> bool:
        """Whether anything gets from there to here."""
        return not self._cuts.get((sender, receiver))

    async def until_healed(self) -> None:
        """Wait for any change."""
        await self._healed.wait()

    def delay(self, one: str, other: str) -> float:
        """Seconds a packet takes."""
        if one == other:
            return 0.00005
        draw = self._rng.random()
        usual = 0.0003 if draw < 0.9 else 0.003 if draw < 0.99 else 0.25
        return usual * (0.5 + self._rng.random()) + self.slow_seconds.get(frozenset((one, other)), 0.0) * draw

    async def call(
        self,
        caller: Process,
        callee: Callable[[], Process | None],
        work: Callable[[], Awaitable[T]],
        *,
        silent_seconds: float,
        order: "Order | None" = None,
    ) -> T:
        """Have something done by a process elsewhere.

        Raises:
            Unreachable: It is not there, died meanwhile, or nothing came back within `silent_seconds`.
        """
        here, there = caller.machine.name, callee()
        if there is None or not there.is_alive:
            await asyncio.sleep(self.delay(here, here))
            raise Unreachable("connection refused", is_sent=False)
        name = there.machine.name
        delay = self.delay(here, name)
        await asyncio.sleep(delay if order is None else order.delay(self.loop.now, delay))
        if not self.passes(here, name):
            await self._silence(silent_seconds)
            raise Unreachable("no answer", is_sent=False)
        if not there.is_alive:
            raise Unreachable("connection refused", is_sent=False)
        answer: asyncio.Future[T] = self.loop.create_future()
        task = there.spawn(_run(work))
        settle = partial(_settle, answer)
        lost: Any = partial(_lose, answer)
        lost.caller = caller
        task.add_done_callback(settle, context=Context())
        there.on_end.append(lost)
        try:
            result = await answer
        except asyncio.CancelledError:
            there.call(task.cancel)
            raise
        finally:
            there.on_end.remove(lost)
        await asyncio.sleep(self.delay(name, here))
        if not self.passes(name, here):
            await self._silence(silent_seconds)
            raise Unreachable("no answer", is_sent=True)
        return result

    async def _silence(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (0.5 + self._rng.random() / 2))


class Order:
    """What is sent by one connection arrives in its order."""

    def __init__(self) -> None:
        self._last_at = 0.0

    def delay(self, now: float, seconds: float) -> float:
        """How long the next one takes, not to overtake the one before."""
        self._last_at = max(self._last_at + 1e-6, now + seconds)
        return self._last_at - now


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _settle(answer: "asyncio.Future[T]", done: "asyncio.Task[T]") -> None:
    if answer.done():
        if not done.cancelled():
            done.exception()
    elif done.cancelled():
        answer.set_exception(Unreachable("connection reset", is_sent=True))
    elif (error := done.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


def _lose(answer: "asyncio.Future[T]") -> None:
    if not answer.done():
        answer.set_exception(Unreachable("connection reset", is_sent=True))


class Wire:
    """One direction of a connection: bytes in order, late, and held back while the link is cut."""

    def __init__(self, network: Network, sender: str, receiver: str) -> None:
        self.is_broken = False
        self.on_silence: Callable[[], None] = self.break_off
        self._network = network
        self._sender, self._receiver = sender, receiver
        self._arrived: deque[Any] = deque()
        self._under_way_bytes = 0
        self._order = Order()
        self._changed = asyncio.Event()
        self._stuck: list[tuple[Any, int]] = []

    def put(self, message: Any, size: int) -> None:
        """Send; nothing is lost but by the end of the connection."""
        self._under_way_bytes += size
        if self._stuck or not self._network.passes(self._sender, self._receiver):
            if not self._stuck:
                self._network.loop.create_task(self._wait(), context=Context())
            self._stuck.append((message, size))
            return
        self._deliver(message, size)

    async def has_room(self) -> None:
        """Wait until the other end has read most of what was sent."""
        while self._under_way_bytes > BUFFER_BYTES and not self.is_broken:
            self._changed.clear()
            await self._changed.wait()

    @property
    def is_full(self) -> bool:
        """Whether the other end does not read."""
        return self._under_way_bytes > BUFFER_BYTES

    async def get(self) -> Any:
        """The next message; raises EOFError at the end."""
        while not self._arrived:
            if self.is_broken:
                raise EOFError
            self._changed.clear()
            await self._changed.wait()
        message, size = self._arrived.popleft()
        self._under_way_bytes -= size
        self._changed.set()
        return message

    def break_off(self) -> None:
        """Nothing more arrives."""
        self.is_broken = True
        self._changed.set()

    def _deliver(self, message: Any, size: int) -> None:
        loop = self._network.loop
        delay = self._order.delay(loop.now, self._network.delay(self._sender, self._receiver))
        loop.call_later(delay, self._arrive, message, size, context=Context())

    def _arrive(self, message: Any, size: int) -> None:
        if self.is_broken:
            return
        self._arrived.append((message, size))
        self._changed.set()

    async def _wait(self) -> None:
        until = self._network.loop.now + KEEPALIVE_SECONDS
        while not self._network.passes(self._sender, self._receiver):
            left = until - self._network.loop.now
            if left <= 0:
                self.on_silence()
                return
            try:
                async with asyncio.timeout(left):
                    await self._network.until_healed()
            except TimeoutError:
                continue
        stuck, self._stuck = self._stuck, []
        for message, size in stuck:
            self._deliver(message, size)


def here() -> Process:
    """The process whose code is running."""
    process = PROCESS.get()
    assert isinstance(process, Process), "only code of a simulated process asks this"
    return process


def _pairs(one: str, other: str, how: Cut) -> list[tuple[str, str]]:
    there, back = (one, other), (other, one)
    return {"both": [there, back], "there": [there], "back": [back]}[how]
