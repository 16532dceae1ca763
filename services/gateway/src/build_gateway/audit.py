"""The audit trail: who did what to whom."""

import logging

from build_chassis.errors import StoreUnavailable
from build_protocol.clock import now_ms

from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import AuditEntry

logger = logging.getLogger("gateway")


class Audit:
    """Writes the trail to the log and the store."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store

    async def note(self, who: str, action: str, subject: str, detail: str | None = None) -> None:
        """One entry; an unavailable store loses the entry there and never fails the action: the log has it."""
        logger.info("audit %r by %.128r on %.128r", action, who, subject)
        entry = AuditEntry(at=now_ms(), who=who[:128], action=action, subject=subject[:512], detail=detail)
        try:
            await self._store.append_audit(entry)
        except StoreUnavailable as error:
            logger.warning("keep audit entry in the log only: %s", error)
