"""Artifacts' tables in SQL: artifacts, and what retention knows of their builds."""

import sqlalchemy as sa
from build_chassis.store.columns import LONG_TEXT, ascii_text, required

METADATA = sa.MetaData()

ARTIFACTS = sa.Table(
    "artifacts",
    METADATA,
    sa.Column("id", ascii_text(36), primary_key=True),
    *required(build_id=ascii_text(36), state=ascii_text(16), updated_at=sa.BigInteger, version=sa.Integer),
    sa.Column("is_held", sa.Boolean, nullable=False, server_default=sa.false()),
    # A key's name: letters, digits, dots, dashes. What is held has none.
    sa.Column("agent", ascii_text(128)),
    sa.Column("project", ascii_text(64)),
    sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("body", LONG_TEXT, nullable=False),
    sa.Index("artifacts_agent", "agent", "state"),
    sa.Index("artifacts_build", "build_id"),
    sa.Index("artifacts_project", "project", "state"),
    sa.Index("artifacts_state", "state", "updated_at"),
)
NOTES = sa.Table(
    "artifact_builds",
    METADATA,
    sa.Column("build_id", ascii_text(36), primary_key=True),
    # A lane is three names long: its digest is what is looked up.
    *required(lane_digest=ascii_text(64), lane=LONG_TEXT, is_good=sa.Boolean, at=sa.BigInteger),
    sa.Column("received_at", sa.BigInteger),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index("artifact_builds_lane", "lane_digest", "at"),
)
