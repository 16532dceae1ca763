"""Retention: deletes ended sessions, keys that were lent, agents not seen for a while, and old commands."""

from build_protocol.clock import DAY_MS, HOUR_MS

from build_gateway.store.contract import GatewayStore

AGENT_DAYS = 30
COMMAND_DAYS = 90


class Retention:
    """Deletes what is no longer needed."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store

    async def forget_old(self, now_ms: int) -> None:
        """One round. Repeating it, or two gateways at once, is harmless."""
        await self._store.drop_expired_refresh(now_ms)
        await self._store.drop_lent_keys(now_ms - HOUR_MS)
        await self._store.drop_agents_before(now_ms - AGENT_DAYS * DAY_MS)
        await self._store.drop_commands_before(now_ms - COMMAND_DAYS * DAY_MS)
