"""The audit trail: who did what to whom, from where, with what result.

Entries are only ever added. Each carries the hash of the one before it of its gateway, so that one that was changed,
taken out or put in between is seen by whoever reads the trail (`broken_at`).
"""

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from build_chassis.errors import StoreUnavailable
from build_protocol.clock import now_ms

from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import AuditEntry

logger = logging.getLogger("gateway")
FIRST = "0" * 64
"""What stands before the first entry of a chain."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, as the trail names it."""

    who: str
    action: str
    subject: str
    detail: str | None = None


acts_of_request: ContextVar[list[Act] | None] = ContextVar("acts_of_request", default=None)
"""What the request that is being answered did so far, by its route's own words; None outside of one."""


class Audit:
    """Writes the trail to the log and the store, in a chain of its own from this process's start."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store
        self._chain = secrets.token_hex(8)
        self._number = 0
        self._last = FIRST
        self._lock = asyncio.Lock()

    async def note(self, who: str, action: str, subject: str, detail: str | None = None) -> None:
        """One entry; within a request it waits for the answer's status (`Audited` writes it)."""
        act = Act(who, action, subject, detail)
        acts = acts_of_request.get()
        if acts is None:
            await self.write(act)
        else:
            acts.append(act)

    async def write(
        self, act: Act, *, address: str | None = None, result: str | None = None, request_id: str | None = None
    ) -> None:
        """The entry; an unavailable store loses it there and never fails the action: the log has it."""
        logger.info("audit %r by %.128r on %.128r", act.action, act.who, act.subject)
        async with self._lock:
            entry = AuditEntry(
                at=now_ms(),
                who=act.who[:128],
                action=act.action,
                subject=act.subject[:512],
                detail=act.detail,
                address=address,
                result=result,
                request_id=request_id,
                chain=self._chain,
                number=self._number + 1,
                before=self._last,
            )
            entry = entry.model_copy(update={"hash": hash_of(entry)})
            try:
                await self._store.append_audit(entry)
            except StoreUnavailable as error:
                logger.warning("keep audit entry in the log only: %s", error)
                return
            self._number, self._last = entry.number, entry.hash


def hash_of(entry: AuditEntry) -> str:
    """SHA-256 of all of an entry but its own hash, as hexadecimal digits."""
    content = entry.model_dump(mode="json", exclude={"hash"})
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def broken_at(entries: Iterable[AuditEntry]) -> AuditEntry | None:
    """The first entry that does not follow from the one before it in its chain; None when all do.

    Args:
        entries: All there are, in any order. The last ones of a chain can be missing unseen; the log has their hashes.
    """
    last: dict[str, tuple[int, str]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.chain, entry.number)):
        if not entry.chain:
            continue
        number, before = last.get(entry.chain, (0, FIRST))
        if (entry.number, entry.before) != (number + 1, before) or entry.hash != hash_of(entry):
            return entry
        last[entry.chain] = (entry.number, entry.hash)
    return None
