"""The embedded bus's file: messages in order, where each queue stands, and the dead letters. SQL only, no waiting."""

import fcntl
import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from build_chassis.bus.contract import DELIVERY_LIMIT_EXCEEDED, Outgoing
from build_chassis.private_files import private_file

DEAD_LETTERS_KEPT = 10_000
"""Older dead letters make room for newer ones."""

BUSY_SECONDS = 0.5
"""How long one try waits for another process to let go of the file."""

VERSION = 1
"""Of the tables, since release 0.1.0; files of earlier releases note none. It grows where the release before a new one
could not go on with what the new one writes."""

_SCHEMA = """
create table if not exists messages (position integer primary key, routing_key text not null, headers text not null,
    body blob not null);
create table if not exists queues (name text primary key, settled_to integer not null, handed_to integer not null,
    settled_ahead text not null, attempts text not null) without rowid;
create table if not exists dead_letters (id integer primary key autoincrement, queue text not null,
    routing_key text not null, headers text not null, body blob not null, reason text not null,
    attempts integer not null, at integer not null);
create table if not exists probe (id integer primary key, written integer not null);
"""
_INSERTS = tuple(
    (size, "insert into messages values " + ",".join(["(?,?,?,?)"] * size))  # noqa: S608  only placeholders
    for size in (256, 16, 1)
)
_CHECKPOINT_PAGES = 2048


class ForeignFile(ValueError):
    """The file was written by a release before 0.1.0, or by a later one than this; says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A message at its position; positions grow, with gaps."""

    position: int
    message: Outgoing


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a queue stands. Everything up to `settled_to` is settled, and so are the positions `settled_ahead`.

    What lies between that and `handed_to` was handed over: after a crash it counts as one more attempt.
    """

    settled_to: int
    handed_to: int
    settled_ahead: frozenset[int] = frozenset()
    attempts: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message nobody could handle, and why; it gets its number when it is kept."""

    queue: str
    message: Outgoing
    reason: str
    attempts: int
    at: int
    number: int = 0


class Journal:
    """The open file. One thread at a time; no second journal of `path` opens before this one is closed.

    Other programs may read it meanwhile: a backup does.
    """

    def __init__(self, path: Path, routed: Callable[[str, str], bool]) -> None:
        self._owned = _own(path)
        self._is_durable: bool | None = None
        try:
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
            )
            try:
                self._prepare(routed)
            except BaseException:
                # Left open it would keep its locks, and shut our own next try out.
                self._connection.close()
                raise
        except BaseException:
            self._owned.close()
            raise

    def _prepare(self, routed: Callable[[str, str], bool]) -> None:
        self._connection.create_function("routed", 2, routed, deterministic=True)
        for pragma in (
            "page_size=8192",
            "journal_mode=wal",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            "auto_vacuum=none",
            "cache_size=-16384",
        ):
            self._connection.execute(f"pragma {pragma}")
        self._refuse_foreign()
        # All or nothing: tables that note no version are an older release's.
        self._connection.executescript(f"begin immediate; {_SCHEMA} pragma user_version={VERSION}; commit")

    def _refuse_foreign(self) -> None:
        (version,) = self._connection.execute("pragma user_version").fetchone()
        found = self._connection.execute("select count(*) from sqlite_master where name = 'messages'").fetchone()
        if version < VERSION and found[0]:
            raise ForeignFile(
                "was written by a release before 0.1.0, and is not taken over: let that release deliver it, then name "
                "an empty directory for this one"
            )
        if version > VERSION:
            raise ForeignFile(
                f"was written by a later release, in schema {version}, and this one knows {VERSION}: let that release "
                "deliver it, or restore a backup of before it (docs/backup.md)"
            )

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()
        self._owned.close()

    @contextmanager
    def begin(self, durable: bool) -> Iterator["Journal"]:
        """A transaction; one that is not durable survives the process, but not a power cut."""
        if durable != self._is_durable:
            self._connection.execute(f"pragma synchronous={'full' if durable else 'normal'}")
            self._is_durable = durable
        self._connection.execute("begin immediate")
        try:
            yield self
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise

    def append(self, rows: Sequence[Row]) -> None:
        """Add messages; positions are theirs alone, so nothing is overwritten."""
        start = 0
        # Many rows a statement: the interpreter's lock is given up and fought for once, not once a row.
        for size, statement in _INSERTS:
            while len(rows) - start >= size:
                values: list[object] = []
                for row in rows[start : start + size]:
                    message = row.message
                    values += (row.position, message.routing_key, _dump(message.headers), message.body)
                self._connection.execute(statement, values)
                start += size

    def read(self, queue: str, after: int, limit: int) -> list[Row]:
        """The next messages of a queue after a position, at most `limit`."""
        rows = self._connection.execute(
            "select position, routing_key, headers, body from messages"
            " where position > ? and routed(?, routing_key) order by position limit ?",
            (after, queue, limit),
        )
        return [Row(position, Outgoing(key, body, json.loads(headers))) for position, key, headers, body in rows]

    def count(self, queue: str, after: int, limit: int) -> int:
        """How many messages of a queue come after a position, at most `limit`."""
        (count,) = self._connection.execute(
            "select count(*) from (select 1 from messages where position > ? and routed(?, routing_key) limit ?)",
            (after, queue, limit),
        ).fetchone()
        return int(count)

    def handed_positions(self, queue: str, standing: Standing) -> list[int]:
        """Positions that were handed over and not settled."""
        rows = self._connection.execute(
            "select position from messages where position > ? and position <= ? and routed(?, routing_key)",
            (standing.settled_to, standing.handed_to, queue),
        )
        return [position for (position,) in rows if position not in standing.settled_ahead]

    def first(self) -> int:
        """The position of the oldest message kept; one past the head when there is none."""
        (first,) = self._connection.execute("select min(position) from messages").fetchone()
        return self.head() + 1 if first is None else int(first)

    def head(self) -> int:
        """The last position ever given, also when its message is long gone."""
        (last,) = self._connection.execute(
            "select max(coalesce((select max(position) from messages), 0),"
            " coalesce((select max(max(settled_to, handed_to)) from queues), 0))"
        ).fetchone()
        return int(last)

    def size_bytes(self) -> int:
        """Bytes of all bodies kept."""
        (size,) = self._connection.execute("select coalesce(sum(length(body)), 0) from messages").fetchone()
        return int(size)

    def standings(self) -> dict[str, Standing]:
        """Every queue the file knows."""
        rows = self._connection.execute("select * from queues").fetchall()
        return {
            name: Standing(
                settled_to,
                handed_to,
                frozenset(json.loads(ahead)),
                {int(position): count for position, count in json.loads(attempts).items()},
            )
            for name, settled_to, handed_to, ahead, attempts in rows
        }

    def save(self, standings: Mapping[str, Standing]) -> None:
        """Write where queues stand; the last one written holds."""
        self._connection.executemany(
            "replace into queues values (?, ?, ?, ?, ?)",
            [
                (
                    name,
                    standing.settled_to,
                    standing.handed_to,
                    json.dumps(sorted(standing.settled_ahead)),
                    json.dumps(dict(standing.attempts)),
                )
                for name, standing in standings.items()
            ],
        )

    def forget_queue(self, name: str) -> None:
        """Drop a queue that is no longer in the topology: it would keep every message for ever."""
        self._connection.execute("delete from queues where name = ?", (name,))

    def trim(self, position: int) -> int:
        """Delete every message up to a position; returns the bytes of their bodies."""
        (freed,) = self._connection.execute(
            "select coalesce(sum(length(body)), 0) from messages where position <= ?", (position,)
        ).fetchone()
        self._connection.execute("delete from messages where position <= ?", (position,))
        return int(freed)

    def bury(self, dead_letter: DeadLetter) -> None:
        """Keep a dead letter; a crash before its queue's standing is saved buries it once more."""
        message = dead_letter.message
        self._connection.execute(
            "insert into dead_letters (queue, routing_key, headers, body, reason, attempts, at)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            (
                dead_letter.queue,
                message.routing_key,
                _dump(message.headers),
                message.body,
                dead_letter.reason,
                dead_letter.attempts,
                dead_letter.at,
            ),
        )
        # What came back too often is work, not evidence: it makes room for nothing.
        self._connection.execute(
            "delete from dead_letters where reason <> ? and id <= (select max(id) from dead_letters) - ?",
            (DELIVERY_LIMIT_EXCEEDED, DEAD_LETTERS_KEPT),
        )

    def dead_letters(self, limit: int = -1) -> list[DeadLetter]:
        """Dead letters, oldest first; all of them where no limit is given."""
        rows = self._connection.execute(f"{_DEAD_LETTERS} order by id limit ?", (limit,))
        return [_dead_letter(row) for row in rows]

    def returned(self, queues: Sequence[str], limit: int) -> list[DeadLetter]:
        """What came back to these queues too often, oldest first."""
        marks = ",".join("?" * len(queues))
        rows = self._connection.execute(
            f"{_DEAD_LETTERS} where reason = ? and queue in ({marks}) order by id limit ?",
            (DELIVERY_LIMIT_EXCEEDED, *queues, limit),
        )
        return [_dead_letter(row) for row in rows]

    def count_dead_letters(self) -> int:
        """How many dead letters are kept."""
        (count,) = self._connection.execute("select count(*) from dead_letters").fetchone()
        return int(count)

    def buried(self, numbers: Collection[int]) -> list[DeadLetter]:
        """Those of these dead letters that are kept, oldest first."""
        asked = (self._connection.execute(f"{_DEAD_LETTERS} where id = ?", (number,)) for number in sorted(numbers))
        return [_dead_letter(row) for rows in asked for row in rows]

    def unbury(self, numbers: Collection[int]) -> int:
        """Remove dead letters; how many there were."""
        rows = [(number,) for number in numbers]
        return self._connection.executemany("delete from dead_letters where id = ?", rows).rowcount if rows else 0

    def give_up(self, numbers: Collection[int], reason: str) -> None:
        """These dead letters no longer replay themselves."""
        rows = [(reason, number) for number in numbers]
        self._connection.executemany("update dead_letters set reason = ? where id = ?", rows)

    def probe(self) -> None:
        """Write something that changes nothing."""
        self._connection.execute("replace into probe values (1, coalesce((select written from probe), 0) + 1)")


def _own(path: Path) -> IO[bytes]:
    """The right to hand out what this bus holds, while the file is open; OSError where another process has it.

    Not by a lock of SQLite's: that would keep readers out too. Nor on the file itself, which nobody may close while
    SQLite has it open.
    """
    beside = path.with_name(f"{path.name}.lock")
    private_file(beside)
    lock = beside.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        lock.close()
        raise
    return lock


_DEAD_LETTERS = "select id, queue, routing_key, headers, body, reason, attempts, at from dead_letters"


def _dead_letter(row: tuple[int, str, str, str, bytes, str, int, int]) -> DeadLetter:
    number, queue, key, headers, body, reason, attempts, at = row
    return DeadLetter(queue, Outgoing(key, body, json.loads(headers)), reason, attempts, at, number)


def _dump(headers: Mapping[str, str]) -> str:
    return json.dumps(dict(headers)) if headers else "{}"
