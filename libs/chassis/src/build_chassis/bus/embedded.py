"""The embedded bus: the promises of a broker from one SQLite file, for one process.

One append-only table and where each queue stands in it. Publish is commit is confirm; what was just committed is
handed to consumers from memory, and read from the file only by those who fell behind.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from build_protocol import topology
from typing_extensions import override

from build_chassis.bus.announcements import LocalAnnouncements, LocalListener
from build_chassis.bus.backlog import Backlog
from build_chassis.bus.contract import (
    DELIVERY_LIMIT_EXCEEDED,
    DEPTH_COUNTED,
    MAX_REPLAYS,
    PARKED_LISTED,
    REPLAYED_IN_VAIN,
    Bus,
    BusUnavailable,
    Delivery,
    Outgoing,
    Parked,
    PublishFailed,
    replayed,
    replays_of,
)
from build_chassis.bus.embedded_consumer import EmbeddedConsumer, EmbeddedQueue, QueueOwner
from build_chassis.bus.journal import DeadLetter, ForeignFile, Journal, Row, Standing
from build_chassis.errors import Unusable
from build_chassis.failpoints import fail_at
from build_chassis.group_commit import GroupCommit
from build_chassis.private_files import private_file
from build_chassis.sqlite_file import foreign, lasting, passing

MEMORY_BYTES = 64 * 1024**2
"""Bodies held ready in memory over all queues; what is beyond is read from the file when its turn comes."""

ROWS_PER_READ = 256
TRIM_ROWS = 500
"""Settled messages are deleted in steps of this many, so that no publish waits long behind one."""


T = TypeVar("T")


class EmbeddedBus(Bus, QueueOwner):
    """A Bus in one file. `clock` gives seconds since the Unix epoch, for the dates of dead letters."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        *,
        delivery_limit: int = topology.DELIVERY_LIMIT,
        max_bytes: int = topology.MAX_QUEUE_BYTES,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._path = path
        self._clock = clock
        self._delivery_limit = delivery_limit
        self._max_bytes = max_bytes
        self._memory_bytes = memory_bytes
        self._writer: GroupCommit[Journal] | None = None
        self._announcements = LocalAnnouncements()
        self._queues: dict[str, EmbeddedQueue] = {}
        self._routes: dict[str, frozenset[str]] = {}
        self._head = 0
        self._next_position = 1
        self._size_bytes = 0
        self._trimmed_to = 0
        self._dirty: set[str] = set()
        self._is_trimming = False
        self._turn = asyncio.Lock()

    @override
    async def open(self) -> None:
        """Open the file and count interrupted attempts. Raises BusUnavailable when another process has it, Unusable."""
        async with self._turn:
            if self._writer is not None:
                return
            try:
                found = await _in_thread(self._read_file)
            except ForeignFile as error:
                raise Unusable(f"bus file {self._path} {error}") from error
            except (sqlite3.Error, OSError, ValueError) as error:
                if (reason := passing(error)) is None:
                    raise Unusable(f"bus file {self._path} {lasting(error) or foreign(error)}") from error
                raise BusUnavailable(f"bus file {self._path} {reason}", f"{self._path.name} {reason}") from error
            self._queues = {name: EmbeddedQueue(*queue) for name, queue in found.queues.items()}
            self._head, self._trimmed_to, self._size_bytes = found.head, found.trimmed_to, found.size_bytes
            self._next_position = found.head + 1
            self._dirty, self._is_trimming = set(), False
            self._writer = GroupCommit("bus", found.journal.begin, found.journal.close)

    @override
    async def close(self) -> None:
        """Commit what is in flight and give the file back."""
        async with self._turn:
            self._announcements.close()
            if self._writer is None:
                return
            self._dirty.update(self._queues)
            self._save_standings()
            writer, self._writer = self._writer, None
            for queue in self._queues.values():
                queue.wake()
            await writer.close()

    @override
    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Append in order; return once they are on disk. Raises PublishFailed or BusUnavailable."""
        for index, message in enumerate(messages):
            if not self._route(message.routing_key):
                await self._append(messages[:index])
                raise PublishFailed(f"no queue takes {message.routing_key}", confirmed=index)
        await self._append(messages)

    @asynccontextmanager
    @override
    async def consume(self, queue: str, *, prefetch: int = 200) -> AsyncIterator["EmbeddedConsumer"]:
        self._open_writer()
        if queue not in self._queues:
            raise BusUnavailable(f"no queue {queue}")
        state = self._queues[queue]
        consumer = EmbeddedConsumer(self, state, prefetch)
        state.consumers.append(consumer)
        try:
            yield consumer
        finally:
            state.consumers.remove(consumer)
            await consumer.leave()

    @override
    async def announce(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Hand it to whoever listens now."""
        self._announcements.announce(exchange, routing_key, body)

    @override
    def listen(self, exchange: str, *keys: str, capacity: int = 10_000) -> AbstractAsyncContextManager[LocalListener]:
        return self._announcements.listen(exchange, keys, capacity)

    @override
    async def missing(self) -> list[str]:
        """`connection` while the file is not open."""
        return ["connection"] if self._writer is None else []

    @property
    @override
    def blocked(self) -> bool:
        """The file is not open, or has reached its limit: then consumers must catch up first."""
        return self._writer is None or self._size_bytes >= self._max_bytes

    @override
    async def probe(self) -> None:
        """Write to the file; a full or read-only one can still be read."""
        try:
            await self._open_writer().submit(Journal.probe)
        except sqlite3.Error as error:
            reason = passing(error) or lasting(error) or foreign(error)
            raise BusUnavailable(f"bus file {self._path} {reason}", f"{self._path.name} {reason}") from error

    @override
    async def parked(self) -> list[Parked]:
        dead = await self._ask(lambda journal: journal.dead_letters(PARKED_LISTED))
        return [_parked(one) for one in dead]

    @override
    async def count_parked(self) -> int:
        return await self._ask(Journal.count_dead_letters)

    @override
    async def depths(self) -> Mapping[str, int]:
        loaded = {name: queue.backlog for name, queue in self._queues.items()}
        behind = await self._ask(
            lambda journal: {name: journal.count(name, each.loaded_to, DEPTH_COUNTED) for name, each in loaded.items()}
        )
        return {name: min(each.ready + behind[name], DEPTH_COUNTED) for name, each in loaded.items()}

    @override
    async def drop_parked(self, ids: Collection[str]) -> int:
        return await self._ask(lambda journal: journal.unbury(_numbers(ids)))

    @override
    async def replay_parked(self, ids: Collection[str]) -> int:
        return await self._replay(await self._ask(lambda journal: journal.buried(_numbers(ids))))

    @override
    async def replay_returned(self, service: str) -> int:
        names = [queue.name for queue in topology.queues_of(service)]
        dead = await self._ask(lambda journal: journal.returned(names, ROWS_PER_READ))
        spent = {one.number for one in dead if replays_of(one.message.headers) >= MAX_REPLAYS}
        await self._ask(lambda journal: journal.give_up(spent, REPLAYED_IN_VAIN))
        return len(spent) + await self._replay([one for one in dead if one.number not in spent])

    async def _replay(self, dead: Sequence[DeadLetter]) -> int:
        """Publish first: after a crash in between a message is there twice, and its handler finds it repeated."""
        for one in dead:
            await self.publish([replayed(one.message, one.queue)])
        numbers = [one.number for one in dead]
        return await self._ask(lambda journal: journal.unbury(numbers))

    async def _ask(self, work: Callable[[Journal], T]) -> T:
        try:
            return await self._open_writer().submit(work)
        except sqlite3.Error as error:
            raise BusUnavailable(f"bus file {self._path}: {error}") from error

    async def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        return await self._open_writer().submit(Journal.dead_letters, durable=False)

    # What this bus's consumers ask of it.

    @override
    async def load(self, queue: EmbeddedQueue) -> None:
        backlog, until = queue.backlog, self._head
        after = backlog.loaded_to
        if backlog.has_ready or after >= until:
            return
        try:
            rows = await self._open_writer().submit(
                lambda journal: journal.read(backlog.name, after, ROWS_PER_READ), durable=False
            )
        except sqlite3.Error as error:
            raise BusUnavailable(f"bus file {self._path}: {error}") from error
        if backlog.loaded_to != after:
            return  # another consumer of this queue has read them meanwhile
        for row in rows:
            backlog.add(row)
        if len(rows) < ROWS_PER_READ:
            backlog.pass_over(max(until, backlog.loaded_to))

    @override
    def take(self, queue: EmbeddedQueue, limit: int) -> list[Delivery]:
        deliveries = [
            Delivery(
                row.position,
                topology.original_key(row.message.routing_key),
                row.message.body,
                row.message.headers,
                queue.backlog.attempts(row.position) + 1,
            )
            for row in queue.backlog.take(limit)
        ]
        if deliveries:
            self._mark_dirty(queue)  # before a handler can take the process down
        return deliveries

    @override
    def is_exhausted(self, delivery: Delivery) -> bool:
        return delivery.attempt > self._delivery_limit + 1

    @override
    def settle(self, queue: EmbeddedQueue, positions: Sequence[int]) -> None:
        queue.backlog.settle(positions)
        self._mark_dirty(queue)

    @override
    async def give_back(self, queue: EmbeddedQueue, positions: Sequence[int]) -> None:
        for row in queue.backlog.give_back(positions, self._delivery_limit):
            try:
                await self.bury(queue, row.position, DELIVERY_LIMIT_EXCEEDED)
            except (PublishFailed, BusUnavailable):
                queue.backlog.restore(row)  # whoever fetches it tries again
        self._mark_dirty(queue)
        queue.wake()

    @override
    async def bury(self, queue: EmbeddedQueue, position: int, reason: str) -> None:
        backlog = queue.backlog
        message = backlog.handed(position)
        dead_letter = DeadLetter(backlog.name, message, reason, backlog.attempts(position), int(self._clock() * 1000))
        try:
            await self._open_writer().submit(lambda journal: journal.bury(dead_letter))
        except sqlite3.Error as error:
            raise PublishFailed(f"bus file {self._path}: {error}") from error
        fail_at("bus.parked")
        self.settle(queue, [position])

    @override
    def has_more(self, queue: EmbeddedQueue) -> bool:
        return queue.backlog.has_ready or queue.backlog.loaded_to < self._head

    def _read_file(self) -> "_Found":
        private_file(self._path)
        journal = Journal(self._path, lambda queue, key: queue in self._route(key))
        try:
            with journal.begin(True):
                return _read(journal)
        except BaseException:
            journal.close()
            raise

    def _open_writer(self) -> GroupCommit[Journal]:
        if self._writer is None:
            raise BusUnavailable(f"bus file {self._path} is not open")
        return self._writer

    def _route(self, routing_key: str) -> frozenset[str]:
        names = self._routes.get(routing_key)
        if names is None:
            names = frozenset(
                queue.name
                for queue in topology.QUEUES
                if any(topology.matches(binding, routing_key) for binding in queue.bindings)
            )
            if len(self._routes) > 10_000:
                self._routes.clear()
            self._routes[routing_key] = names
        return names

    async def _append(self, messages: Sequence[Outgoing]) -> None:
        if not messages:
            return
        writer = self._open_writer()
        if self.blocked:
            raise PublishFailed(f"the bus holds {self._size_bytes} bytes that consumers have not settled")
        rows = [Row(position, message) for position, message in enumerate(messages, self._next_position)]
        self._next_position += len(rows)
        committed = writer.submit(lambda journal: journal.append(rows))
        # Handing over hangs on the commit, not on the publisher, who may be cancelled meanwhile.
        committed.add_done_callback(lambda done: self._hand_over(rows) if _succeeded(done) else None)
        try:
            await asyncio.shield(committed)
        except sqlite3.Error as error:
            raise PublishFailed(f"bus file {self._path}: {error}") from error
        fail_at("bus.taken")

    def _hand_over(self, rows: Sequence[Row]) -> None:
        buffered = sum(queue.backlog.ready_bytes for queue in self._queues.values())
        following = {name: queue for name, queue in self._queues.items() if queue.backlog.loaded_to >= self._head}
        for row in rows:
            size = len(row.message.body)
            self._size_bytes += size
            for name in self._route(row.message.routing_key):
                queue = following.get(name)
                if queue is None:
                    continue
                buffered += size
                if buffered > self._memory_bytes:
                    del following[name]  # it reads this message and what follows from the file
                else:
                    queue.backlog.add(row)
        self._head = rows[-1].position
        for queue in following.values():
            queue.backlog.pass_over(self._head)
        for queue in self._queues.values():
            queue.wake()

    def _mark_dirty(self, queue: EmbeddedQueue) -> None:
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._save_standings)
        self._dirty.add(queue.backlog.name)

    def _save_standings(self) -> None:
        if self._writer is None:
            return
        standings = {name: self._queues[name].backlog.standing() for name in self._dirty}
        self._dirty.clear()
        # Not flushed to disk: after a power cut a few settled messages come again, as after a broker's.
        self._writer.submit(lambda journal: journal.save(standings), durable=False).add_done_callback(_succeeded)
        self._trim()

    def _trim(self) -> None:
        settled_to = min(queue.backlog.settled_to for queue in self._queues.values())
        if self._is_trimming or self._writer is None or settled_to < self._trimmed_to + TRIM_ROWS:
            return
        self._is_trimming = True
        upto = self._trimmed_to + TRIM_ROWS
        standings = {name: queue.backlog.standing() for name, queue in self._queues.items()}

        def trim(journal: Journal) -> int:
            journal.save(standings)
            return journal.trim(upto)

        def trimmed(done: "asyncio.Future[int]") -> None:
            self._is_trimming = False
            if _succeeded(done):
                self._size_bytes -= done.result()
                self._trimmed_to = upto
                self._trim()

        self._writer.submit(trim, durable=False).add_done_callback(trimmed)


def _parked(one: DeadLetter) -> Parked:
    return Parked(
        str(one.number),
        one.queue,
        Outgoing(topology.original_key(one.message.routing_key), one.message.body, one.message.headers),
        one.reason,
        one.attempts,
        one.at,
        replays_of(one.message.headers),
        is_final=one.reason != DELIVERY_LIMIT_EXCEEDED,
    )


def _numbers(ids: Collection[str]) -> set[int]:
    return {int(one) for one in ids if one.isdecimal()}


@dataclass(frozen=True, slots=True)
class _Found:
    """What the file held when it was opened."""

    journal: Journal
    queues: Mapping[str, tuple[Backlog, bool]]
    head: int
    trimmed_to: int
    size_bytes: int

    def close(self) -> None:
        self.journal.close()


def _read(journal: Journal) -> _Found:
    standings, head, first, size_bytes = journal.standings(), journal.head(), journal.first(), journal.size_bytes()
    for name in standings.keys() - {queue.name for queue in topology.QUEUES}:
        journal.forget_queue(name)
    queues = {}
    for queue in topology.QUEUES:
        # A new queue receives what is published from now on, as on a broker.
        standing = standings.get(queue.name, Standing(head, head))
        backlog = Backlog(queue.name, standing)
        backlog.count_interrupted(journal.handed_positions(queue.name, standing))
        queues[queue.name] = (backlog, queue.single_active)
    journal.save({name: backlog.standing() for name, (backlog, _) in queues.items()})
    return _Found(journal, queues, head, first - 1, size_bytes)


async def _in_thread(read: Callable[[], _Found]) -> _Found:
    """What a thread found. It cannot be cancelled: whoever is leaves once it has ended, and the file is closed."""
    reading = asyncio.ensure_future(asyncio.to_thread(read))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        # By a callback: a second cancellation may end the wait.
        reading.add_done_callback(lambda done: done.result().close() if _succeeded(done) else None)
        await asyncio.wait([reading])
        raise


def _succeeded(done: "asyncio.Future[Any]") -> bool:
    return not done.cancelled() and done.exception() is None
