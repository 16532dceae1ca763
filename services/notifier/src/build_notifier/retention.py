"""Retention: what was notified is kept for a while."""

from build_chassis.retention_guard import RetentionGuard
from build_protocol.clock import DAY_MS

from build_notifier.store import NotifierStore

BATCH = 500


class Retention:
    """Forgets notifications, mutes and branches by their age."""

    def __init__(self, store: NotifierStore, keep_days: int, guard: RetentionGuard | None = None) -> None:
        self._store = store
        self._keep_days = keep_days
        self._guard = guard

    async def forget_old(self, now_ms: int) -> bool:
        """Forget one batch of what is older than `keep_days`; whether there may be more. Repeating is harmless."""
        before_at = now_ms - self._keep_days * DAY_MS
        if self._guard is not None:
            old, total = await self._store.count(before_at), await self._store.count()
            if not await self._guard.allows(old=old, total=total):
                return False
        return await self._store.forget(before_at, BATCH) >= BATCH
