"""Retention: facts and rows of single builds are kept for a while; days and failure groups are kept for good.

A fact outlives its rows' need of it: lanes, incidents and pins look at the newest builds only, and a day or a group
that was counted stays counted.
"""

from build_protocol.clock import DAY_MS

from build_history.builds.index_keys import EVERY
from build_history.metrics import Metrics
from build_history.refresh.row_kinds import staging_label
from build_history.store import HistoryStore

BATCH = 500


class Retention:
    """Forgets what is beyond `keep_days`."""

    def __init__(self, store: HistoryStore, metrics: Metrics, keep_days: int) -> None:
        self._store = store
        self._metrics = metrics
        self._keep_days = keep_days

    async def forget_old(self, now_ms: int) -> bool:
        """Forget one batch; whether there may be more. Repeating is harmless."""
        before_at = now_ms - self._keep_days * DAY_MS
        points = await self._store.points(EVERY, limit=BATCH, newest_first=False, before_at=before_at)
        stored = await self._store.facts([point.id for point in points])
        await self._store.drop_facts([known.fact for known in stored.values()])
        closed = ["closed", staging_label("closed")]
        oldest = [
            row
            for kind, labels in (("commit", None), ("incident", closed), ("partition", None), ("statistics", None))
            for row in await self._store.rows(kind, labels=labels, limit=BATCH, newest_first=False)
        ]
        old = [row for row in oldest if row.rank < before_at]
        await self._store.drop_rows(old)
        self._metrics.forgotten.inc(len(points))
        return len(points) >= BATCH or len(old) >= BATCH
