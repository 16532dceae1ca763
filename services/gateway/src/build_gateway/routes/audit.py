"""The audit trail, for administrators: a page of it, and all of it as a file."""

from collections.abc import AsyncIterator
from typing import Annotated

from build_protocol.model import EpochMs, WireModel
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from build_gateway.audit import broken_at
from build_gateway.caller import Admin
from build_gateway.dependencies import Needs
from build_gateway.store.contract import AUDIT_LISTED, GatewayStore
from build_gateway.store.rows import AuditEntry

router = APIRouter(prefix="/api/audit", tags=["audit"])


class AuditView(WireModel):
    """Who did what to whom, from where, with what result; `before` is the hash of entry `number` - 1 of the chain."""

    at: EpochMs
    who: str
    action: str
    subject: str
    detail: str | None = None
    address: str | None = None
    result: str | None = None
    request_id: str | None = None
    chain: str
    number: int
    before: str
    hash: str


class AuditPage(WireModel):
    """Entries, the newest first."""

    items: list[AuditView]


class AuditCheck(WireModel):
    """Whether the trail is as it was written; `broken` is the first entry that does not follow from the one before."""

    entries: int
    broken: AuditView | None = None


@router.get("")
async def list_audit(
    needs: Needs,
    caller: Admin,  # noqa: ARG001  only admins
    before_at: Annotated[EpochMs | None, Query(description="Entries of this time and earlier.")] = None,
) -> AuditPage:
    """The newest entries; `before_at` goes on where a page ended."""
    return AuditPage(items=[_view(entry) for entry in await needs.store.list_audit(before_at)])


@router.get("/check")
async def check_audit(needs: Needs, caller: Admin) -> AuditCheck:  # noqa: ARG001  as above
    """Read the whole trail, and tell whether an entry was changed, taken out or put in between."""
    entries = [entry async for entry in _all(needs.store)]
    broken = broken_at(entries)
    return AuditCheck(entries=len(entries), broken=_view(broken) if broken else None)


@router.get("/export", response_class=StreamingResponse)
async def export_audit(needs: Needs, caller: Admin) -> StreamingResponse:  # noqa: ARG001  as above
    """The whole trail, one JSON object a line, the newest first."""
    lines = (f"{_view(entry).to_json()}\n" async for entry in _all(needs.store))
    disposition = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=disposition)


def _view(entry: AuditEntry) -> AuditView:
    return AuditView.model_validate(entry.model_dump())


async def _all(store: GatewayStore) -> AsyncIterator[AuditEntry]:
    before: int | None = None
    last: set[str] = set()  # of the page before: pages overlap in the millisecond where they meet
    while True:
        page = await store.list_audit(before)
        new = [entry for entry in page if entry.model_dump_json() not in last]
        for entry in new:
            yield entry
        if len(page) < AUDIT_LISTED or not new:
            return
        last = {entry.model_dump_json() for entry in page}
        before = page[-1].at
