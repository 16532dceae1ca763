"""History's tables in SQL: facts, the tags they are filed under, and derived rows."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

METADATA = sa.MetaData()
# Ids and digests are ASCII: with a binary collation an index entry is as long as its letters.
_ID = sa.String(36).with_variant(mysql.VARCHAR(36, charset="ascii", collation="ascii_bin"), "mysql")
_TAG = sa.String(32).with_variant(mysql.CHAR(32, charset="ascii", collation="ascii_bin"), "mysql")
_NAME = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql")
_TEXT = sa.Text().with_variant(mysql.LONGTEXT(collation="utf8mb4_bin"), "mysql")

FACTS = sa.Table(
    "history_facts",
    METADATA,
    sa.Column("build_id", _ID, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("stale", _TEXT, nullable=False),
    sa.Column("point", _TEXT, nullable=False),
    sa.Column("fact", _TEXT, nullable=False),
)
TAGS = sa.Table(
    "history_tags",
    METADATA,
    sa.Column("tag", _TAG, primary_key=True),
    sa.Column("started_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("build_id", _ID, primary_key=True),
    sqlite_with_rowid=False,
)
ROWS = sa.Table(
    "history_rows",
    METADATA,
    sa.Column("key", _TAG, primary_key=True),
    sa.Column("kind", _NAME, nullable=False),
    sa.Column("project", _NAME, nullable=False),
    sa.Column("scope", _NAME, nullable=False),
    sa.Column("label", _NAME, nullable=False),
    sa.Column("rank", sa.BigInteger, nullable=False, quote=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("body", _TEXT, nullable=False),
    sa.Index("history_rows_kind", "kind", "rank", "key"),
    sa.Index("history_rows_project", "kind", "project", "rank", "key"),
    sa.Index("history_rows_scope", "kind", "scope", "rank", "key"),
    sa.Index("history_rows_label", "kind", "label", "rank", "key"),
)


def _filed_under(*, newest_first: bool) -> sa.Select[Any]:
    """Points of a tag; the inner select keeps MySQL from reading every fact of the tag before it sorts and cuts."""
    order = sa.desc if newest_first else sa.asc
    page = (
        sa.select(TAGS.c.build_id, TAGS.c.started_at)
        .where(
            TAGS.c.tag == sa.bindparam("b_tag"),
            TAGS.c.started_at >= sa.bindparam("b_since"),
            TAGS.c.started_at < sa.bindparam("b_before"),
        )
        .order_by(order(TAGS.c.started_at), order(TAGS.c.build_id))
        .limit(sa.bindparam("b_limit", type_=sa.Integer))
        .subquery("page")
    )
    return (
        sa.select(FACTS.c.point)
        .select_from(page.join(FACTS, FACTS.c.build_id == page.c.build_id))
        .order_by(order(page.c.started_at), order(page.c.build_id))
    )


FILED = {newest_first: _filed_under(newest_first=newest_first) for newest_first in (True, False)}
"""Made once: building a statement costs as much as running it."""
