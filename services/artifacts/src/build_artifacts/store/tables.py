"""Artifacts' tables in SQL: artifacts, and what retention knows of their builds."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

METADATA = sa.MetaData()
# Ids are ASCII: with a binary collation an index entry is as long as its letters.
_ID = sa.String(36).with_variant(mysql.VARCHAR(36, charset="ascii", collation="ascii_bin"), "mysql")
_STATE = sa.String(16).with_variant(mysql.VARCHAR(16, charset="ascii", collation="ascii_bin"), "mysql")
_DIGEST = sa.String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql")
_TEXT = sa.Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), "mysql")

ARTIFACTS = sa.Table(
    "artifacts",
    METADATA,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("build_id", _ID, nullable=False),
    sa.Column("state", _STATE, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("is_held", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("body", _TEXT, nullable=False),
    sa.Index("artifacts_build", "build_id"),
    sa.Index("artifacts_state", "state", "updated_at"),
)
NOTES = sa.Table(
    "artifact_builds",
    METADATA,
    sa.Column("build_id", _ID, primary_key=True),
    # A lane is three names long: its digest is what is looked up.
    sa.Column("lane_digest", _DIGEST, nullable=False),
    sa.Column("lane", _TEXT, nullable=False),
    sa.Column("is_good", sa.Boolean, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index("artifact_builds_lane", "lane_digest", "at"),
)


def _add_is_held(connection: sa.Connection) -> None:
    if "is_held" not in {column["name"] for column in sa.inspect(connection).get_columns(ARTIFACTS.name)}:
        connection.exec_driver_sql("alter table artifacts add column is_held boolean not null default false")


STEPS = (_add_is_held,)
"""From version 1 on, what leads from one version to the next."""
