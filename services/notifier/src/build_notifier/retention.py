"""Retention: what was notified is kept for a while."""

from build_protocol.clock import DAY_MS

from build_notifier.store import NotifierStore

BATCH = 500


class Retention:
    """Forgets notifications, mutes and branches by their age."""

    def __init__(self, store: NotifierStore, keep_days: int) -> None:
        self._store = store
        self._keep_days = keep_days

    async def forget_old(self, now_ms: int) -> bool:
        """Forget one batch of what is older than `keep_days`; whether there may be more. Repeating is harmless."""
        return await self._store.forget(now_ms - self._keep_days * DAY_MS, BATCH) >= BATCH
