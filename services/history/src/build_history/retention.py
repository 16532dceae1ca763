"""Retention: facts and rows of single builds are kept for a while; days and failure groups are kept for good.

A fact outlives its rows' need of it: lanes, incidents and pins look at the newest builds only, and a day or a group
that was counted stays counted.
"""

from build_protocol.model import WireModel

from build_history.builds.fact import DAY_MS
from build_history.builds.index_keys import EVERY
from build_history.store import HistoryStore

BATCH = 500


class Trimmed(WireModel):
    """What one step of trimming forgot."""

    facts: int
    rows: int

    @property
    def is_done(self) -> bool:
        """Nothing older is left."""
        return self.facts < BATCH and self.rows < BATCH


async def trim(store: HistoryStore, now_ms: int, keep_days: int) -> Trimmed:
    """Forget one batch of what is older than `keep_days`; call again until it is done. Repeating is harmless."""
    before_ms = now_ms - keep_days * DAY_MS
    points = await store.points(EVERY, limit=BATCH, newest_first=False, before_ms=before_ms)
    stored = await store.facts([point.id for point in points])
    await store.drop_facts([known.fact for known in stored.values()])
    commits = await store.rows("commit", limit=BATCH, newest_first=False)
    closed = await store.rows("incident", labels=["closed"], limit=BATCH, newest_first=False)
    partitions = await store.rows("partition", limit=BATCH, newest_first=False)
    statistics = await store.rows("statistics", limit=BATCH, newest_first=False)
    old = [row for row in (*commits, *closed, *partitions, *statistics) if row.rank < before_ms]
    await store.drop_rows(old)
    return Trimmed(facts=len(points), rows=len(old))
