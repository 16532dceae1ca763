"""One writer thread that commits what is queued meanwhile in one transaction.

A commit costs one disk flush however many writes it carries. So one thread owns the database's writes: while it
flushes, further writes queue up, and all of them share the next flush. An idle database commits a single write at once.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

MAX_WRITES_PER_TRANSACTION = 512
"""Bounds how long one transaction holds its locks."""

C = TypeVar("C")
T = TypeVar("T")


class WriterClosed(ConnectionError):
    """The database was closed before this write."""

    def __init__(self) -> None:
        super().__init__("the writer is closed")


@dataclass(frozen=True, slots=True)
class _Write(Generic[C]):
    run: Callable[[C], Any]
    durable: bool
    future: asyncio.Future[Any]


class GroupCommit(Generic[C]):
    """Runs writes in the order they were submitted; each result is returned after its commit.

    `begin(durable)` opens a transaction: it commits on a clean exit and rolls back on an error. A transaction is
    durable when any of its writes asked for it. When one write of several fails, all are rolled back and run again
    one by one, so that only the failing one fails: a write must have no effects beside its connection. When no
    transaction can be opened, all fail at once: tried one by one, each would wait for the same lock. A write whose
    caller no longer waits for it when its turn comes is left out.

    The thread starts with the first write; `end` is the last thing it does.
    """

    def __init__(
        self,
        name: str,
        begin: Callable[[bool], AbstractContextManager[C]],
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self._begin = begin
        self._end = end
        self._queue: SimpleQueue[_Write[C] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._lock = threading.Lock()
        self._is_closed = False

    def submit(self, run: Callable[[C], T], *, durable: bool = True) -> "asyncio.Future[T]":
        """Queue a write for the next transaction.

        Args:
            run: Writes by the connection it gets; it may run twice, and has no effects beside its connection.
            durable: Whether the transaction has to be on disk when the write is done.

        Returns:
            A future of its result, done after its commit.

        Raises:
            WriterClosed: The database was closed before.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # The lock keeps a write from slipping in behind the thread's last one, where nobody would answer it.
        with self._lock:
            if self._is_closed:
                raise WriterClosed
            self._start()
            self._queue.put(_Write(run, durable, future))
        return future

    async def close(self) -> None:
        """Commit what was submitted, then stop; who is cancelled meanwhile does not keep the thread from its end."""
        with self._lock:
            if not self._is_closed:
                self._start()
                self._is_closed = True
                self._queue.put(None)
        while self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _work(self) -> None:
        is_open = True
        while is_open:
            writes, is_open = self._take()
            if writes:
                _tell(writes, self._commit(writes))
        self._end()

    def _take(self) -> tuple[list[_Write[C]], bool]:
        writes: list[_Write[C]] = []
        try:
            write = self._queue.get()
            while write is not None:
                if not write.future.done():
                    writes.append(write)
                if len(writes) >= MAX_WRITES_PER_TRANSACTION:
                    return writes, True
                write = self._queue.get_nowait()
        except Empty:
            return writes, True
        return writes, False

    def _commit(self, writes: Sequence[_Write[C]]) -> list[Any]:
        is_begun = False
        try:
            with self._begin(any(write.durable for write in writes)) as connection:
                is_begun = True
                return [write.run(connection) for write in writes]
        except Exception as error:  # noqa: BLE001  handed to whoever awaits the write
            if len(writes) == 1 or not is_begun:
                return [_Failed(error)] * len(writes)
        return [self._commit([write])[0] for write in writes]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


def _tell(writes: Sequence[_Write[Any]], results: Sequence[Any]) -> None:
    """Hand the results to the event loop, all in one wake-up and in order."""

    def resolve() -> None:
        for write, result in zip(writes, results, strict=True):
            if write.future.done():
                continue
            if isinstance(result, _Failed):
                write.future.set_exception(result.error)
            else:
                write.future.set_result(result)

    # All writes of a database come from one event loop: the one that opened it.
    loop = writes[0].future.get_loop()
    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:
        return  # the loop is gone, and with it everyone who waited
