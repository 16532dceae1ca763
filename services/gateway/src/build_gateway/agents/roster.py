"""Who is connected here: agent sessions by key, by agent process and by build, and what is stored of them."""

import logging
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from build_chassis.errors import StoreUnavailable
from build_protocol.frames import Close, Stored

from build_gateway.commands import CommandSession
from build_gateway.rate import Rate
from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import AgentRow, Key

logger = logging.getLogger("gateway")
WRITE_SECONDS = 1.0
POSTING_PROCESSES = 10_000
"""Agent processes that post, as remembered between their posts."""


class Session(CommandSession, Protocol):
    """What the roster knows of an agent's session."""

    @property
    def key(self) -> Key:
        """The key it came with."""
        ...

    def stored(self, event: Stored) -> None:
        """Ingest reported how far a build of this session is stored."""
        ...

    def drain(self) -> None:
        """Send DRAIN: this gateway is about to stop."""
        ...

    def end(self, code: Close, reason: str) -> None:
        """Close the socket soon."""
        ...


@dataclass(slots=True)
class Posting:
    """An agent process that posts its frames: what a connection would keep, for as long as its posts follow."""

    rate: Rate
    row: AgentRow | None = None


class Roster:
    """The agent sessions of this gateway."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store
        self._by_process: dict[tuple[str, str], Session] = {}
        self._posts: defaultdict[tuple[str, str], set[Session]] = defaultdict(set)
        self._posting: OrderedDict[tuple[str, str], Posting] = OrderedDict()
        self._by_build: defaultdict[str, set[Session]] = defaultdict(set)
        self._changed: dict[tuple[str, str], AgentRow] = {}
        self.connections: Counter[str] = Counter()
        """Sockets per key id, from the upgrade on."""

    def __iter__(self) -> Iterator[Session]:
        return chain(list(self._by_process.values()), *map(list, self._posts.values()))

    def __len__(self) -> int:
        return len(self._by_process) + len(self._posts)

    def join(self, session: Session) -> None:
        """Add a session; an older one of the same agent process is superseded."""
        process = _process(session.row)
        older = self._by_process.get(process)
        self._by_process[process] = session
        for superseded in (older, *self._posts.get(process, ())):
            if superseded is not None:
                superseded.end(Close.SUPERSEDED, "a newer connection of this agent took over")
        self.changed(session.row)

    def leave(self, session: Session, builds: Iterable[str]) -> None:
        """Remove a session and its builds."""
        for build_id in builds:
            self.drop_build(session, build_id)
        if self._by_process.get(_process(session.row)) is session:
            del self._by_process[_process(session.row)]
            self.changed(session.row.model_copy(update={"connected": False}))

    def posting(self, agent: str, instance: str, frames_per_second: int) -> Posting:
        """What is remembered of an agent process that posts."""
        process = (agent, instance)
        posting = self._posting.setdefault(process, Posting(Rate(frames_per_second)))
        self._posting.move_to_end(process)
        if len(self._posting) > POSTING_PROCESSES:
            self._posting.popitem(last=False)
        return posting

    def join_post(self, session: Session) -> None:
        """Add a post: several of one process stand beside each other, and beside a socket that may be dead."""
        self._posts[_process(session.row)].add(session)
        self.changed(session.row)

    def leave_post(self, session: Session, builds: Iterable[str]) -> None:
        """Remove an answered post: its agent counts as connected until it was silent for too long."""
        for build_id in builds:
            self.drop_build(session, build_id)
        process = _process(session.row)
        self._posts[process].discard(session)
        if not self._posts[process]:
            del self._posts[process]
        self.changed(session.row)

    def add_build(self, session: Session, build_id: str) -> None:
        """The session sends records of this build."""
        self._by_build[build_id].add(session)

    def drop_build(self, session: Session, build_id: str) -> None:
        """It no longer does."""
        sessions = self._by_build.get(build_id)
        if sessions is not None:
            sessions.discard(session)
            if not sessions:
                del self._by_build[build_id]

    def of_agent(self, agent: str) -> list[Session]:
        """The agent's sessions here."""
        return [session for session in self if session.key.name == agent]

    def of_process(self, agent: str, instance: str) -> list[Session]:
        """The sessions of one agent process here: its socket, or its posts."""
        return [session for session in self.of_agent(agent) if session.row.instance == instance]

    def stored(self, event: Stored) -> None:
        """Pass ingest's report to the sessions of the build."""
        for session in tuple(self._by_build.get(event.build_id, ())):  # one that learns of another owner leaves
            session.stored(event)

    def changed(self, row: AgentRow) -> None:
        """A row to store: written within a second, only the newest of each process."""
        self._changed[_process(row)] = row

    def drain(self) -> None:
        """Ask the agents to leave: this gateway is about to stop, and they come back elsewhere, not all at once."""
        for session in self:
            session.drain()

    async def write_changes(self) -> None:
        """Store what changed since the last time; while the store is away the newest rows wait."""
        changed, self._changed = self._changed, {}
        try:
            for row in changed.values():
                await self._store.save_agent(row)
        except StoreUnavailable as error:
            logger.warning("keep %d agents' rows for later: %s", len(changed), error)
            self._changed = {**changed, **self._changed}


def _process(row: AgentRow) -> tuple[str, str]:
    return row.name, row.instance
