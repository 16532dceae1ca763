"""The SQL engine of every service's store: one writer thread with group commit, a few reader threads.

SQLAlchemy Core, synchronous, because a thread that commits many writes at once is several times faster than an async
driver that commits each. SQLite (WAL, every commit flushed) and MySQL/MariaDB behind one interface.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    exc,
    insert,
    select,
    text,
    update,
)
from sqlalchemy import inspect as inspect_schema
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateColumn

from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.group_commit import GroupCommit, WriterClosed
from build_chassis.private_files import private_file
from build_chassis.sqlite_file import is_read_only, lasting, passing
from build_chassis.store.contract import FIRST_VERSION, NotedTime, Schema, refuse_foreign

READER_THREADS = 4
STALE_SECONDS = 1.0
"""A server connection unused for longer is asked whether it still lives before it is used."""

MIGRATION_LOCK_SECONDS = 10
"""Below the connection's read timeout: who waits for longer comes back for it."""

NOT_OPENED = "it was not opened yet"

_MYSQL_NO_DATABASE = 1049
_MYSQL_OWN_CODES = 1000
"""Lower codes are the operating system's, of which the driver makes internal errors: 3 and 28 are a full disk."""

_noted = Table(
    "noted_times",
    MetaData(),
    Column("kind", String(8), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

T = TypeVar("T")
Step = Callable[[Connection], None]

_version = Table(
    "schema_version", MetaData(), Column("id", Integer, primary_key=True), Column("version", Integer, nullable=False)
)
_least = Table(
    "schema_least", MetaData(), Column("id", Integer, primary_key=True), Column("version", Integer, nullable=False)
)
_write_probe = Table(
    "write_probe", MetaData(), Column("id", Integer, primary_key=True), Column("written", BigInteger, nullable=False)
)
"""One row, written by each ping. Its value changes: a database writes nothing where nothing changes."""


class SqlEngine:
    """One service's database: `sqlite:///file`, `sqlite://` (in memory, for tests) or `mysql://user:password@host/db`.

    Every method that touches the database raises StoreUnavailable when it does not answer, and until `migrate` has
    brought its schema up to date: readiness says so, and nobody finds tables missing.
    """

    def __init__(self, url: str) -> None:
        self._url = _driver_url(url)
        self.name = self._url.render_as_string(hide_password=True)
        self._engine = _create(self._url)
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="sql-read")
        self._writer: GroupCommit[Connection] = GroupCommit("sql-write", self._begin)
        self._is_open = False
        self._is_closed = False
        self._hint = NOT_OPENED

    @property
    def dialect(self) -> str:
        """`sqlite` or `mysql`, where a statement has to differ."""
        return self._engine.dialect.name

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run a function in the writer thread.

        Args:
            fn: Writes by the connection it gets. It may run twice when a write beside it fails, so it must have no
                effects beside its connection.

        Returns:
            Its result, after the commit, which it may share with other writes.

        Raises:
            StoreUnavailable: The database does not answer, or is not open yet.
        """
        self._check_open()
        with self._available():
            return await self._writer.submit(fn)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run a function on a consistent snapshot in a reader thread; it sees every write that was reported before.

        Args:
            fn: Reads by the connection it gets.

        Raises:
            StoreUnavailable: The database does not answer, or is not open yet.
        """
        if self._is_in_memory:
            return await self.write(fn)
        self._check_open()
        with self._available():
            return await self._in_reader(self._read, fn)

    async def ping(self) -> None:
        """Return if the database takes a write: a full or read-only one still answers whoever reads.

        Raises:
            StoreUnavailable: It does not.
        """
        await self.write(_probe)

    async def migrate(self, metadata: MetaData, steps: Sequence[Step] = (), least: int = FIRST_VERSION) -> int:
        """Bring the schema to version `FIRST_VERSION + len(steps)`, creating the database if there is none.

        An empty database gets today's metadata at once. A database that is newer than this program is left as it is:
        releases keep running beside their successor, and beside no later one. Until a call has succeeded no connection
        is kept, so that each begins anew: one that found a file read-only would find it so for ever.

        Args:
            metadata: The tables of today's schema.
            steps: What leads from version n to n + 1, for each n from `FIRST_VERSION` on.
            least: The version of the release before this one, which may still use what this one makes.

        Returns:
            The version that the database has now.

        Raises:
            StoreUnavailable: A later try may succeed.
            Unusable: Waiting never changes what was found.
        """
        try:
            with self._available():
                await self._in_reader(_create_database, self._url)
                version = await self._writer.submit(
                    lambda connection: _migrate(connection, self.name, metadata, steps, least)
                )
        except StoreUnavailable as error:
            if reason := self._lasting_reason(error.__cause__):
                raise Unusable(f"store {self.name} {reason}") from error
            self._hint = error.hint
            raise
        except exc.DBAPIError as error:
            refusal = f"cannot take this release's schema ({error.orig}); run the release before it, and report this"
            raise Unusable(f"store {self.name} {refusal}") from error
        self._is_open = True
        return version

    def _lasting_reason(self, error: BaseException | None) -> str | None:
        """What is wrong with the file, if waiting never changes it: an opening need not be tried again."""
        if not self._is_file or not isinstance(error, exc.DBAPIError) or error.orig is None:
            return None
        return lasting(error.orig)

    async def schema(self) -> Schema:
        """The schema that the database has, opened or not. Raises StoreUnavailable."""
        with self._available():
            return await self._in_reader(self._look)

    def _look(self) -> Schema:
        is_missing = self._is_file and not Path(str(self._url.database)).exists()
        try:
            return Schema(0) if is_missing else self._read(_stored)
        except exc.OperationalError as error:
            if error.orig is not None and error.orig.args[:1] == (_MYSQL_NO_DATABASE,):
                return Schema(0)
            raise

    async def noted_time(self, kind: NotedTime) -> int | None:
        """The time of this kind that was noted last; None where none was."""
        noted = select(_noted.c.at).where(_noted.c.kind == kind)
        return await self.read(lambda connection: connection.execute(noted).scalar())

    async def own_time(self) -> int | None:
        """What time it is by the database's server; None for a file."""
        if self.dialect != "mysql":
            return None
        now = text("select cast(unix_timestamp(now(3)) * 1000 as signed)")
        return await self.read(lambda connection: int(connection.execute(now).scalar_one()))

    async def note_time(self, kind: NotedTime, at: int) -> None:
        """Note the time; the newest call counts."""

        def put(connection: Connection) -> None:
            connection.execute(delete(_noted).where(_noted.c.kind == kind))
            connection.execute(insert(_noted).values(kind=kind, at=at))

        await self.write(put)

    async def close(self) -> None:
        """Finish what was submitted, an opening included, then close every connection."""
        self._is_closed = True
        try:
            await self._writer.close()
            await asyncio.to_thread(self._readers.shutdown)
        finally:
            self._engine.dispose()

    @property
    def _is_in_memory(self) -> bool:
        return isinstance(self._engine.pool, StaticPool)

    @property
    def _is_file(self) -> bool:
        return self.dialect == "sqlite" and not self._is_in_memory

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailable(self.name, f"it is not open yet: {self._hint}", self._hint)

    async def _in_reader(self, run: Callable[..., T], *arguments: Any) -> T:
        if self._is_closed:
            raise WriterClosed
        return await asyncio.get_running_loop().run_in_executor(self._readers, run, *arguments)

    @contextmanager
    def _begin(self, durable: bool) -> Iterator[Connection]:  # noqa: ARG002  every write of a store is durable
        with self._engine.connect() as connection:
            if not (self._is_open or self._is_in_memory):
                connection.detach()
            connection.info["writes"] = True
            with self._left_if_refused(connection), connection.begin():
                yield connection

    def _read(self, fn: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            connection.info["writes"] = False
            with self._left_if_refused(connection), connection.begin():
                return fn(connection)

    @contextmanager
    def _left_if_refused(self, connection: Connection) -> Iterator[None]:
        """What refuses writes refuses them for ever to whoever reached it then, so that the next one connects anew.

        A file opened while it was read-only, a server that became a replica and no longer is where its name leads, an
        account whose rights were read at its start. Of a full disk the connections are kept: there is no room for what
        a new one needs, and they still read.
        """
        try:
            yield
        except exc.DBAPIError as error:
            if _refuses_writes(error) and not self._is_in_memory:
                connection.invalidate()
            raise

    @contextmanager
    def _available(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            raise StoreUnavailable(self.name, error.hint, error.hint) from error
        except (exc.DBAPIError, exc.TimeoutError, WriterClosed, OSError) as error:
            if isinstance(error, exc.DBAPIError) and not _is_outage(error):
                raise
            cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
            reason = None
            if self._is_file and not isinstance(cause, WriterClosed):
                reason = passing(cause) or lasting(cause)
            if reason is None:
                raise StoreUnavailable(self.name, cause) from error
            hint = f"{Path(str(self._url.database)).name} {reason}"
            raise StoreUnavailable(self.name, hint, hint) from error


def _driver_url(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername in ("mysql", "mariadb"):
        return parsed.set(drivername="mysql+pymysql")
    if parsed.get_backend_name() in ("sqlite", "mysql"):
        return parsed
    raise ValueError(f"store URL must begin with sqlite:// or mysql://, not {parsed.drivername}://")


def _create(url: URL) -> Engine:
    if url.get_backend_name() == "mysql":
        return _create_mysql(url)
    if not url.database or url.database == ":memory:":
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(url, pool_size=READER_THREADS + 1, max_overflow=0)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver would otherwise begin and commit on its own
    try:
        for pragma in ("journal_mode=wal", "synchronous=full", "busy_timeout=5000", "foreign_keys=on"):
            connection.execute(f"pragma {pragma}").close()
    except BaseException:
        connection.close()  # the pool does not: it never got to know it
        raise


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that turns from reading to writing may find the database changed; a writer says so from the start.
    connection.exec_driver_sql("begin immediate" if connection.info.get("writes") else "begin")


def _create_mysql(url: URL) -> Engine:
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=READER_THREADS + 1,
        max_overflow=0,
        pool_timeout=10,
        connect_args={
            "charset": "utf8mb4",
            "binary_prefix": True,
            "connect_timeout": 5,
            "read_timeout": 30,
            "write_timeout": 30,
        },
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _refuse_dead)
    return engine


def _note_use(connection: Any, record: Any) -> None:  # noqa: ARG001  the pool's signature
    record.info["used_at"] = time.monotonic()


def _refuse_dead(connection: Any, record: Any, proxy: object) -> None:  # noqa: ARG001  the pool's signature
    if time.monotonic() - record.info.get("used_at", time.monotonic()) < STALE_SECONDS:
        return
    try:
        connection.ping(reconnect=False)
    except Exception as error:
        raise exc.DisconnectionError from error  # the pool connects anew


def _create_database(url: URL) -> None:
    if url.get_backend_name() != "mysql":
        if url.database and url.database != ":memory:":
            private_file(Path(url.database))
        return
    server = create_engine(url.set(database=""), connect_args={"connect_timeout": 5})
    try:
        with server.connect() as connection:
            name = server.dialect.identifier_preparer.quote_identifier(str(url.database))
            connection.exec_driver_sql(
                f"create database if not exists {name} character set utf8mb4 collate utf8mb4_bin"
            )
    finally:
        server.dispose()


def _migrate(connection: Connection, name: str, metadata: MetaData, steps: Sequence[Step], least: int) -> int:
    is_mysql = connection.dialect.name == "mysql"
    if is_mysql:  # its schema changes commit by themselves: two replicas that start at once must take turns
        lock = text("select get_lock(concat(database(), '.schema'), :seconds)")
        if connection.execute(lock, {"seconds": MIGRATION_LOCK_SECONDS}).scalar() != 1:
            raise StoreUnavailable("schema", "locked", "another replica is bringing its schema up to date")
    try:
        version = _run_steps(connection, name, metadata, steps, least)
        if is_mysql:  # who takes the lock next has to see the version, not only the tables
            connection.execute(text("commit"))
        return version
    finally:
        if is_mysql and not connection.invalidated:  # a lost connection has lost its lock, and takes no statement
            connection.execute(text("select release_lock(concat(database(), '.schema'))"))


def _run_steps(connection: Connection, name: str, metadata: MetaData, steps: Sequence[Step], least: int) -> int:
    newest = FIRST_VERSION + len(steps)
    found = _stored(connection)
    refuse_foreign(name, found, newest)
    version = found.version
    for own in (_write_probe, _noted, _least):
        own.create(connection, checkfirst=True)
    if version <= newest and found.least < least:
        connection.execute(delete(_least))
        connection.execute(insert(_least).values(id=1, version=least))
    if version == 0:
        metadata.create_all(connection)
        _version.create(connection, checkfirst=True)  # MySQL keeps it when a start dies before its row
        connection.execute(insert(_version).values(id=1, version=newest))
        return newest
    for step in steps[version - FIRST_VERSION :]:
        step(connection)
        version += 1
        connection.execute(update(_version).values(version=version))
    return version


def additions(metadata: MetaData) -> Step:
    """A step that creates the tables, columns and indexes of the metadata which are not there yet.

    A release before it goes on reading and writing what it knows: a new column may be null, or has a default.
    """

    def step(connection: Connection) -> None:
        metadata.create_all(connection)  # tables that are there are left as they are
        found = inspect_schema(connection)
        quoted = connection.dialect.identifier_preparer
        for table in metadata.tables.values():
            known = {column["name"] for column in found.get_columns(table.name)}
            for column in table.columns:
                if column.name not in known:
                    described = CreateColumn(column).compile(dialect=connection.dialect)
                    connection.exec_driver_sql(f"alter table {quoted.format_table(table)} add column {described}")
            indexed = {index["name"] for index in found.get_indexes(table.name)}
            for index in table.indexes:
                if index.name not in indexed:
                    index.create(connection)

    return step


def _probe(connection: Connection) -> None:
    changed = connection.execute(update(_write_probe).values(written=_write_probe.c.written + 1))
    if not changed.rowcount:
        connection.execute(insert(_write_probe).values(id=1, written=1))


def _stored(connection: Connection) -> Schema:
    tables = set(inspect_schema(connection).get_table_names())
    version, least = (
        connection.execute(select(table.c.version)).scalar() if table.name in tables else None
        for table in (_version, _least)
    )
    return Schema(version or 0, least or FIRST_VERSION)


_MYSQL_MISTAKES = frozenset({1054, 1118, 1153})
"""Unknown column, row too large, packet too large: the driver has no class of errors for them."""

_MYSQL_REFUSALS = frozenset({1044, 1142, 1143, 1290, 1792, 1836})
"""Denied to this account, or by a server that is read-only."""


def _refuses_writes(error: exc.DBAPIError) -> bool:
    if error.orig is None or error.connection_invalidated:
        return False
    return is_read_only(error.orig) or error.orig.args[:1] in {(code,) for code in _MYSQL_REFUSALS}


def _is_outage(error: exc.DBAPIError) -> bool:
    """Whether the database is away, full, read-only or damaged, rather than our statement wrong."""
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        return (passing(error.orig) or lasting(error.orig)) is not None
    fact = error.orig.args[0] if error.orig is not None and error.orig.args else ""
    if isinstance(error, exc.InternalError):
        return isinstance(fact, int) and fact < _MYSQL_OWN_CODES
    return isinstance(error, exc.InterfaceError | exc.OperationalError) and fact not in _MYSQL_MISTAKES
