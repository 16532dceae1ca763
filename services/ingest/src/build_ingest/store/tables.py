"""The SQL tables: builds, what belongs to them (first record, chunks, failures, test results), and replicas' claims."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql

# As `contract.tail_of` has it. Computed, so that the builds of earlier releases have it too, and those that an earlier
# release stores while this one runs beside it; only the index takes room.
_TAIL = "substr(id, 31)"

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
    Column("retry_of", String(36)),
    Column("place", String(53), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("archive", String(8), nullable=False, server_default="none"),
    Column("rules", String(16), nullable=False, server_default=""),
    Column("search", Text, nullable=False),
    Column("tail", String(6), Computed(_TAIL, persisted=False)),
    Column("view", _LONG_TEXT, nullable=False),
    Column("state", _LONG_TEXT, nullable=False),
    Index("builds_by_place", "place"),
    Index("builds_by_receipt", "received_at"),
    Index("builds_by_project", "project", "place"),
    Index("builds_by_status", "status", "place"),
    Index("builds_by_commit", "commit_sha"),
    Index("builds_open", "is_open", "shard"),
    Index("builds_by_retry", "retry_of"),
    Index("builds_by_archive", "archive", "place"),
    Index("builds_by_tail", "tail"),
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

results = Table(
    "results",
    metadata,
    Column("build_id", String(36), primary_key=True),
    Column("source", String(8), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("packed", _LONG_BYTES, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("build_id", String(36), nullable=False),
    Column("project", String(64), nullable=False),
    Column("place", String(49), nullable=False),
    Column("body", _LONG_TEXT, nullable=False),
    Index("feedback_by_build", "build_id"),
    Index("feedback_by_place", "place"),
)

OWNED = (chunks, starts, failures, results, feedback)
"""What goes with its build."""

claims = Table(
    "claims",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("owner", String(255)),
    Column("beat", BigInteger, nullable=False),
)
