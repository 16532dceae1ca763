"""The audit trail, for administrators: a page of it, and all of it as a file."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from build_protocol.model import EpochMs, WireModel
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from build_gateway.audit import broken_at
from build_gateway.caller import Admin
from build_gateway.dependencies import Needs
from build_gateway.store.contract import AUDIT_LISTED, GatewayStore
from build_gateway.store.rows import AuditEntry

router = APIRouter(prefix="/api/audit", tags=["audit"])
LOOKED_AT = 10_000
"""So many entries a page looks at: who narrows it to what is rare asks again, and waits for nobody else."""

COLUMNS = ("at", "who", "action", "subject", "result", "address", "detail", "request_id", "chain", "number", "hash")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Text = Annotated[str | None, Field(max_length=256)]


class AuditPage(WireModel):
    """Entries, the newest first; with `nextBeforeAt` there may be more, and those of that moment come again."""

    items: list[AuditEntry]
    next_before_at: EpochMs | None = None


class Wanted(BaseModel):
    """Which entries: those that have all of these, in any case; of `before_at` and earlier, of `after_at` and later."""

    model_config = ConfigDict(extra="forbid")

    who: Text = None
    action: Text = None
    subject: Text = None
    result: Text = None
    before_at: EpochMs | None = None
    after_at: EpochMs | None = None

    def has(self, entry: AuditEntry) -> bool:
        """Whether this entry is wanted; its time is for whoever reads them in order."""
        return all(
            text is None or text.lower() in (getattr(entry, name) or "").lower()
            for name, text in (
                ("who", self.who),
                ("action", self.action),
                ("subject", self.subject),
                ("result", self.result),
            )
        )


class AuditCheck(WireModel):
    """Whether the trail is as it was written; `broken` is the first entry that does not follow from the one before."""

    entries: int
    broken: AuditEntry | None = None


class Export(Wanted):
    """What of the trail, and how."""

    format: Literal["jsonl", "csv"] = "jsonl"


@router.get("")
async def list_audit(
    needs: Needs,
    caller: Admin,  # noqa: ARG001  only admins
    wanted: Annotated[Wanted, Query()],
) -> AuditPage:
    """The newest entries that are wanted; `before_at` goes on where a page ended."""
    items: list[AuditEntry] = []
    looked_at = 0
    async for entry in _all(needs.store, wanted):
        looked_at += 1
        if wanted.has(entry):
            items.append(entry)
        if len(items) == AUDIT_LISTED or looked_at == LOOKED_AT:
            return AuditPage(items=items, next_before_at=entry.at)
    return AuditPage(items=items)


@router.get("/check")
async def check_audit(needs: Needs, caller: Admin) -> AuditCheck:  # noqa: ARG001  as above
    """Read the whole trail, and tell whether an entry was changed, taken out or put in between."""
    entries = [entry async for entry in _all(needs.store)]
    return AuditCheck(entries=len(entries), broken=broken_at(entries))


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}, "text/csv": {}}}},
)
async def export_audit(
    needs: Needs,
    caller: Admin,  # noqa: ARG001  as above
    wanted: Annotated[Export, Query()],
) -> StreamingResponse:
    """All entries that are wanted, the newest first: one JSON object a line, or a table for spreadsheets."""
    entries = (entry async for entry in _all(needs.store, wanted) if wanted.has(entry))
    is_table = wanted.format == "csv"
    lines = _table(entries) if is_table else (f"{entry.to_json()}\n" async for entry in entries)
    disposition = {"Content-Disposition": f'attachment; filename="audit.{wanted.format}"'}
    media_type = "text/csv; charset=utf-8" if is_table else "application/x-ndjson"
    return StreamingResponse(lines, media_type=media_type, headers=disposition)


async def _table(entries: AsyncIterator[AuditEntry]) -> AsyncIterator[str]:
    yield _row(COLUMNS)
    async for entry in entries:
        fields = entry.model_dump()
        fields["at"] = datetime.fromtimestamp(entry.at / 1000, UTC).isoformat(timespec="milliseconds")
        yield _row(["" if fields[name] is None else str(fields[name]) for name in COLUMNS])


def _row(fields: Sequence[str]) -> str:
    # A spreadsheet runs what begins like a formula, and people choose their names: there it becomes text.
    line = io.StringIO()
    csv.writer(line).writerow(f"'{field}" if field.startswith(FORMULA) else field for field in fields)
    return line.getvalue()


async def _all(store: GatewayStore, wanted: Wanted | None = None) -> AsyncIterator[AuditEntry]:
    before = None if wanted is None else wanted.before_at
    after = None if wanted is None else wanted.after_at
    last: set[str] = set()  # of the page before: pages overlap in the millisecond where they meet
    while True:
        page = await store.list_audit(before)
        new = [entry for entry in page if entry.model_dump_json() not in last]
        for entry in new:
            if after is not None and entry.at < after:
                return
            yield entry
        if len(page) < AUDIT_LISTED or not new:
            return
        last = {entry.model_dump_json() for entry in page}
        before = page[-1].at
