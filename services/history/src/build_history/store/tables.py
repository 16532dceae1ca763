"""History's tables in SQL: facts, the tags they are filed under, and derived rows."""

from typing import Any

import sqlalchemy as sa
from build_chassis.store.columns import LONG_TEXT, ascii_text, exact_text, required

METADATA = sa.MetaData()

FACTS = sa.Table(
    "history_facts",
    METADATA,
    sa.Column("build_id", ascii_text(36), primary_key=True),
    *required(version=sa.Integer, stale=LONG_TEXT, point=LONG_TEXT, fact=LONG_TEXT),
)
TAGS = sa.Table(
    "history_tags",
    METADATA,
    sa.Column("tag", ascii_text(32), primary_key=True),
    # The start; of the tag RECEIVED, from when on the fact is kept.
    sa.Column("ranked_at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("build_id", ascii_text(36), primary_key=True),
    sqlite_with_rowid=False,
)
ROWS = sa.Table(
    "history_rows",
    METADATA,
    sa.Column("key", ascii_text(32), primary_key=True),
    *required(kind=exact_text(64), project=exact_text(64), scope=exact_text(64), label=exact_text(64)),
    sa.Column("rank", sa.BigInteger, nullable=False, quote=True),
    *required(version=sa.Integer, body=LONG_TEXT),
    sa.Index("history_rows_kind", "kind", "rank", "key"),
    sa.Index("history_rows_project", "kind", "project", "rank", "key"),
    sa.Index("history_rows_scope", "kind", "scope", "rank", "key"),
    sa.Index("history_rows_label", "kind", "label", "rank", "key"),
)


def _filed_under(*, newest_first: bool) -> sa.Select[Any]:
    """Points of a tag; the inner select keeps MySQL from reading every fact of the tag before it sorts and cuts."""
    order = sa.desc if newest_first else sa.asc
    page = (
        sa.select(TAGS.c.build_id, TAGS.c.ranked_at)
        .where(
            TAGS.c.tag == sa.bindparam("b_tag"),
            TAGS.c.ranked_at >= sa.bindparam("b_since"),
            TAGS.c.ranked_at < sa.bindparam("b_before"),
        )
        .order_by(order(TAGS.c.ranked_at), order(TAGS.c.build_id))
        .limit(sa.bindparam("b_limit", type_=sa.Integer))
        .subquery("page")
    )
    return (
        sa.select(FACTS.c.point)
        .select_from(page.join(FACTS, FACTS.c.build_id == page.c.build_id))
        .order_by(order(page.c.ranked_at), order(page.c.build_id))
    )


FILED = {newest_first: _filed_under(newest_first=newest_first) for newest_first in (True, False)}
"""Made once: building a statement costs as much as running it."""
