"""The SQL tables: builds, what belongs to them (first record, chunks, failures, test results), and replicas' claims."""

from build_chassis.store.columns import optional, required
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
    *required(shard=Integer, project=String(64)),
    Column("branch", String(512)),
    *required(config=String(512), origin=String(16), status=String(16)),
    *optional(commit_sha=String(64), agent=String(512), retry_of=String(36)),
    *required(place=String(53), received_at=BigInteger, revision=BigInteger, is_open=Boolean),
    Column("log_bytes", BigInteger, nullable=False, server_default="0"),
    Column("archive", String(8), nullable=False, server_default="none"),
    Column("rules", String(16), nullable=False, server_default=""),
    Column("search", Text, nullable=False),
    Column("tail", String(6), Computed(_TAIL, persisted=False)),
    *required(view=_LONG_TEXT, state=_LONG_TEXT),
    Index("builds_by_place", "place"),
    Index("builds_by_receipt", "received_at"),
    Index("builds_by_project", "project", "place"),
    Index("builds_by_status", "status", "place"),
    Index("builds_by_branch", "branch", "place"),
    Index("builds_by_config", "config", "place"),
    Index("builds_by_agent", "agent", "place"),
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
    *required(
        last_seq=BigInteger,
        first_line=BigInteger,
        last_line=BigInteger,
        first_byte=BigInteger,
        end_byte=BigInteger,
        continues=Boolean,
        text=_LONG_BYTES,
        index=_LONG_BYTES,
    ),
    Column("events", _LONG_BYTES),
    Index("chunks_by_line", "build_id", "last_line", "first_seq"),
    Index("chunks_by_byte", "build_id", "end_byte", "first_seq"),
)

failures = Table(
    "failures",
    metadata,
    Column("build_id", String(36), primary_key=True),
    *required(text_bytes=BigInteger, found=_LONG_TEXT),
)

results = Table(
    "results",
    metadata,
    Column("build_id", String(36), primary_key=True),
    Column("source", String(8), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *required(count=Integer, packed=_LONG_BYTES),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(32), primary_key=True),
    *required(build_id=String(36), project=String(64), place=String(49), body=_LONG_TEXT),
    Index("feedback_by_build", "build_id"),
    Index("feedback_by_place", "place"),
)

green_logs = Table(
    "green_logs",
    metadata,
    Column("build_id", String(36), primary_key=True),
    *required(project=String(64), config=String(512), place=String(53), lines=_LONG_BYTES),
    Index("green_logs_by_place", "project", "place"),
)

OWNED = (chunks, starts, failures, results, feedback, green_logs)
"""What goes with its build."""

claims = Table(
    "claims",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("owner", String(255)),
    Column("beat", BigInteger, nullable=False),
)
