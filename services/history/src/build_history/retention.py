"""Retention: facts and rows of single builds are kept for a while; days and failure groups are kept for good.

The days count from a build's receipt: what its machine's clock says neither shortens nor extends them. A fact outlives
its rows' need of it: lanes, incidents and pins look at the newest builds only, and a day or a group that was counted
stays counted.
"""

from collections.abc import Mapping, Sequence

from build_chassis.retention_guard import RetentionGuard
from build_protocol.clock import DAY_MS
from build_protocol.incidents import IncidentState

from build_history.builds.fact import Fact
from build_history.builds.index_keys import EVERY, commit_tag, includes_tag
from build_history.metrics import Metrics
from build_history.refresh import row_kinds
from build_history.store import HistoryStore, Row
from build_history.store.contract import PointQuery, RowQuery

BATCH = 500


class Retention:
    """Forgets what is beyond `keep_days`."""

    def __init__(
        self, store: HistoryStore, metrics: Metrics, keep_days: int, guard: RetentionGuard | None = None
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._keep_days = keep_days
        self._guard = guard

    async def forget_old(self, now_ms: int) -> bool:
        """Forget one batch; whether there may be more. Repeating is harmless."""
        before_at = now_ms - self._keep_days * DAY_MS
        if self._guard is not None:
            old_count, total = await self._store.count_facts(before_at), await self._store.count_facts()
            if not await self._guard.allows(old=old_count, total=total):
                return False
        points = await self._store.received(before_at=before_at, limit=BATCH)
        stored = await self._store.facts([point.id for point in points])
        facts = {build_id: known.fact for build_id, known in stored.items()}
        # Commits first: they are found by the facts.
        await self._store.drop_rows(await self._commits_of_none_but(facts))
        await self._store.drop_facts(list(facts.values()))
        old = await self._old_rows(before_at)
        await self._store.drop_rows(old)
        self._metrics.forgotten.inc(len(points))
        return len(points) >= BATCH or len(old) >= BATCH

    async def _commits_of_none_but(self, going: Mapping[str, Fact]) -> Sequence[Row]:
        """The rows of the commits that no build but these was made of, or names among what is new."""
        words = {
            (fact.project, fact.branch or "", sha)
            for fact in going.values()
            for sha in (*((fact.commit,) if fact.commit else ()), *(commit.sha for commit in fact.commits or ()))
        }
        named = {tag(*names): names for names in words for tag in (commit_tag, includes_tag)}
        points = await self._store.points_by_tag(named, limit=len(going) + 1)
        kept = {named[tag] for tag, found in points.items() if not going.keys() >= {point.id for point in found}}
        rows = await self._store.rows_by_key([row_kinds.COMMIT.key(*names) for names in words - kept])
        return list(rows.values())

    async def _old_rows(self, before_at: int) -> Sequence[Row]:
        """Rows of builds that are all gone: those ranked before the first start of any that is kept."""
        oldest = await self._store.points(PointQuery(EVERY, limit=1, newest_first=False))
        before_rank = min([before_at, *(point.started_at for point in oldest)])
        closed = ["closed", row_kinds.staging_label("closed")]
        listed = [
            row
            for kind, labels in (("incident", closed), ("partition", None), ("statistics", None))
            for row in await self._store.rows(RowQuery(kind, labels=labels, limit=BATCH, newest_first=False))
        ]
        old = [row for row in listed if row.rank < before_rank]
        incidents = row_kinds.read_all(IncidentState, [row for row in old if row.kind == "incident"])
        owned = await self._store.rows_by_key([row_kinds.OWNERSHIP.key(state.id) for state in incidents])
        # Ownership first: it is found by its incident.
        return [*owned.values(), *old]
