"""Announcements: best effort, to whoever listens now, bounded per listener."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from build_protocol import topology
from typing_extensions import override

from build_chassis.bus.contract import EXCHANGES, Announcement, Listener

MAILBOX_BYTES = 64 * 1024**2
"""Bodies one listener may leave unread, whatever their number."""


class Mailbox:
    """What one listener has not read yet. When it is full the oldest makes room, and what is read next says so."""

    def __init__(self, capacity: int) -> None:
        self._waiting: deque[Announcement] = deque()
        self._waiting_bytes = 0
        self._capacity = capacity
        self._has_missed = False
        self._is_closed = False
        self._changed = asyncio.Event()

    def put(self, announcement: Announcement) -> None:
        """Keep it for the reader; never waits."""
        self._waiting.append(announcement)
        self._waiting_bytes += len(announcement.body)
        while len(self._waiting) > self._capacity or self._waiting_bytes > MAILBOX_BYTES:
            self._waiting_bytes -= len(self._waiting.popleft().body)
            self._has_missed = True
        self._changed.set()

    def miss(self) -> None:
        """Something was dropped before it came here: the reader is notified now, for nothing may follow for hours."""
        self._has_missed = True
        self._changed.set()

    def close(self) -> None:
        """End the reader's iteration once it has read what is there."""
        self._is_closed = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[Announcement]:
        while True:
            while self._waiting:
                announcement = self._waiting.popleft()
                self._waiting_bytes -= len(announcement.body)
                if self._has_missed:
                    self._has_missed = False
                    announcement = Announcement(announcement.routing_key, announcement.body, missed=True)
                yield announcement
            if self._has_missed:
                self._has_missed = False
                yield Announcement("", b"", missed=True)
                continue
            if self._is_closed:
                return
            self._changed.clear()
            await self._changed.wait()


class Patterns:
    """The topic patterns one listener is bound to; matching costs the same however many exact keys there are."""

    def __init__(self, keys: Iterable[str], *, takes_all: bool) -> None:
        self._takes_all = takes_all
        self._exact: set[str] = set()
        self._wild: set[str] = set()
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """Also match this pattern."""
        self._group(key).add(key)

    def discard(self, key: str) -> None:
        """No longer match it."""
        self._group(key).discard(key)

    def match(self, routing_key: str) -> bool:
        """Whether any pattern takes this routing key."""
        return (
            self._takes_all
            or routing_key in self._exact
            or any(topology.matches(pattern, routing_key) for pattern in self._wild)
        )

    def _group(self, key: str) -> set[str]:
        return self._wild if "*" in key or "#" in key else self._exact


class LocalListener(Listener):
    """A listener in the same process as those who announce."""

    def __init__(self, patterns: Patterns, mailbox: Mailbox) -> None:
        self._patterns = patterns
        self._mailbox = mailbox

    @override
    async def bind(self, key: str) -> None:
        self._patterns.add(key)

    @override
    async def unbind(self, key: str) -> None:
        self._patterns.discard(key)

    def offer(self, routing_key: str, body: bytes) -> None:
        """Take an announcement if it is bound."""
        if self._patterns.match(routing_key):
            self._mailbox.put(Announcement(routing_key, body))

    def close(self) -> None:
        """Receive nothing more."""
        self._mailbox.close()

    def __aiter__(self) -> AsyncIterator[Announcement]:
        return aiter(self._mailbox)


class LocalAnnouncements:
    """The live exchanges inside one process."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[LocalListener]] = {name: [] for name in EXCHANGES}

    def announce(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Hand it to whoever listens now."""
        for listener in self._listeners[exchange]:
            listener.offer(routing_key, body)

    @asynccontextmanager
    async def listen(self, exchange: str, keys: Iterable[str], capacity: int) -> AsyncIterator[LocalListener]:
        """A listener, while the context lasts."""
        patterns = Patterns(keys, takes_all=exchange == topology.CONTROL_EXCHANGE)
        listener = LocalListener(patterns, Mailbox(capacity))
        self._listeners[exchange].append(listener)
        try:
            yield listener
        finally:
            self._listeners[exchange].remove(listener)
            listener.close()

    def close(self) -> None:
        """End every listener's iteration."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.close()
