"""The SQL tables: builds, their first records, their chunks, their failures, and the claims of replicas."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql

_LONG_TEXT = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_LONG_BYTES = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")

metadata = MetaData()

builds = Table(
    "builds",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("shard", Integer, nullable=False),
    Column("project", String(64), nullable=False),
    Column("branch", String(512)),
    Column("config", String(512), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("commit_sha", String(64)),
    Column("agent", String(512)),
    Column("place", String(53), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("search", Text, nullable=False),
    Column("view", _LONG_TEXT, nullable=False),
    Column("state", _LONG_TEXT, nullable=False),
    Index("builds_by_place", "place"),
    Index("builds_by_project", "project", "place"),
    Index("builds_by_status", "status", "place"),
    Index("builds_by_commit", "commit_sha"),
    Index("builds_open", "is_open", "shard"),
)

starts = Table(
    "starts",
    metadata,
    Column("build_id", String(36), primary_key=True),
    Column("record", _LONG_TEXT, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("build_id", String(36), primary_key=True),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("first_line", BigInteger, nullable=False),
    Column("last_line", BigInteger, nullable=False),
    Column("first_byte", BigInteger, nullable=False),
    Column("end_byte", BigInteger, nullable=False),
    Column("continues", Boolean, nullable=False),
    Column("text", _LONG_BYTES, nullable=False),
    Column("index", _LONG_BYTES, nullable=False),
    Column("events", _LONG_BYTES),
    Index("chunks_by_line", "build_id", "last_line", "first_seq"),
    Index("chunks_by_byte", "build_id", "end_byte", "first_seq"),
)

failures = Table(
    "failures",
    metadata,
    Column("build_id", String(36), primary_key=True),
    Column("text_bytes", BigInteger, nullable=False),
    Column("found", _LONG_TEXT, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("owner", String(255)),
    Column("beat", BigInteger, nullable=False),
)


def _add_failures(db: Connection) -> None:
    failures.create(db, checkfirst=True)


STEPS = (_add_failures,)
"""From version 1 on, what leads from one version to the next."""
