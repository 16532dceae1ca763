"""Operation: what waits for a person, of all services, and an admin's word that the server's clock is right."""

import asyncio
import logging
from typing import Annotated, Literal
from urllib.parse import urlencode

from build_chassis.bus import BusUnavailable
from build_chassis.errors import ServiceError, Unavailable, kind_of
from build_chassis.notices import Notice, NoticeList
from build_chassis.operation_routes import ADOPT, NOTICES, AgreedTime
from build_chassis.service_client import ServiceClient
from build_protocol.model import MAX_SAFE_INTEGER, Count, EpochMs, RequestModel, ShortText, Text, WireModel
from build_protocol.views import Problem
from fastapi import APIRouter, Query
from pydantic import Field

from build_gateway.caller import Admin
from build_gateway.dependencies import Dependencies, Needs
from build_gateway.ingest_view import GATEWAY

logger = logging.getLogger("gateway")
router = APIRouter(prefix="/api/operation", tags=["operation"])

ANSWER_SECONDS = 5.0
"""A service that has not answered by then is one of the notices."""

SILENT = "its log and `/readyz` say why; what it would have to say is missing here"


class AdoptedClock(WireModel):
    """What became of a person's word on the clock of one service."""

    service: ShortText
    is_adopted: bool
    detail: Text | None = None
    remedy: Text | None = None


class AdoptedClocks(WireModel):
    """The same of every service; it may be repeated for those that did not answer."""

    items: list[AdoptedClock]


class WrongSpan(RequestModel):
    """From when to when, as the wrong clock had it, and how far ahead of the time it was."""

    since_at: EpochMs
    before_at: EpochMs
    ahead_ms: int = Field(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER, description="Below zero: behind.")
    is_check: bool = Field(False, description="Count the builds, move none.")


class PlacedAnew(WireModel):
    """How many builds were moved; those of the span that the agents' clocks place elsewhere were left."""

    placed: Count
    left: Count


class RebuildProgress(WireModel):
    """How far a rebuild is; one that its service's restart ended is `idle`."""

    state: Literal["idle", "running", "done"]
    total: Count
    done: Count


class PublishedAgain(WireModel):
    """How many incidents were published again."""

    incidents: Count
    next_cursor: str | None = None


class _Published(WireModel):
    count: Count
    cursor: str | None = None


Cursor = Annotated[str | None, Query(max_length=256, description="`nextCursor` of the answer before.")]


@router.get("/notices")
async def list_notices(needs: Needs, caller: Admin) -> NoticeList:  # noqa: ARG001  the role is the point
    """What the system stopped by itself, set aside or holds back until a person decides."""
    of_peers = await asyncio.gather(*(_of_peer(name, peer) for name, peer in needs.peers.items()))
    own = [needs.guard.notice, await _parked(needs), await _on_hold(needs)]
    return NoticeList(items=[*(one for one in own if one is not None), *(one for some in of_peers for one in some)])


@router.post("/clock/place-anew")
async def place_anew(body: WrongSpan, needs: Needs, caller: Admin) -> PlacedAnew:
    """Move builds that were received while the server's clock was wrong to their place; `isCheck` counts them."""
    answer = await _ask(needs, "ingest", "POST", "/internal/place-anew", body.to_json().encode())
    placed = PlacedAnew.model_validate_json(answer)
    if not body.is_check:
        subject = f"{body.since_at} to {body.before_at}, ahead by {body.ahead_ms} ms"
        await needs.audit.note(caller.name, "place builds anew", subject, f"{placed.placed} builds")
    return placed


@router.post("/rebuild/history")
async def rebuild_history(needs: Needs, caller: Admin) -> RebuildProgress:
    """Begin to compute history again from what ingest holds; 409 while that goes on."""
    progress = RebuildProgress.model_validate_json(await _ask(needs, "history", "POST", "/internal/rebuild"))
    await needs.audit.note(caller.name, "rebuild", "history")
    return progress


@router.get("/rebuild/history")
async def get_rebuild(needs: Needs, caller: Admin) -> RebuildProgress:  # noqa: ARG001  the role is the point
    """How far that is."""
    return RebuildProgress.model_validate_json(await _ask(needs, "history", "GET", "/internal/rebuild"))


@router.post("/rebuild/notifier")
async def rebuild_notifier(needs: Needs, caller: Admin, cursor: Cursor = None) -> PublishedAgain:
    """Publish some of history's incidents again for notifier, which notifies nobody of them; go on at `nextCursor`."""
    query = "" if cursor is None else f"?{urlencode({'cursor': cursor})}"
    body = await _ask(needs, "history", "POST", f"/internal/baselines{query}")
    answer = _Published.model_validate_json(body)
    if cursor is None:
        await needs.audit.note(caller.name, "rebuild", "notifier")
    return PublishedAgain(incidents=answer.count, next_cursor=answer.cursor)


@router.post("/clock/adopt")
async def adopt_clock(body: AgreedTime, needs: Needs, caller: Admin) -> AdoptedClocks:
    """Go on with the clocks as they are set, where they show `nowAt`; retention may delete again what was held."""
    peers = (_adopt_by_peer(name, peer, body) for name, peer in needs.peers.items())
    items = [await _adopt_here(needs, body), *await asyncio.gather(*peers)]
    adopted = [one.service for one in items if one.is_adopted]
    await needs.audit.note(caller.name, "adopt clock", ", ".join(adopted) or "none", f"at {body.now_at}")
    return AdoptedClocks(items=items)


async def _of_peer(name: str, peer: ServiceClient) -> list[Notice]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await peer.call("GET", NOTICES, GATEWAY)
        if answer.status == 404:
            return []  # an earlier release, which has it in its log and metrics
        if answer.status != 200:
            raise Unavailable(f"it answers {answer.status}")
        return NoticeList.model_validate_json(answer.body).items
    except Exception as error:  # noqa: BLE001  whatever is wrong with a service, the answer names it
        logger.warning("notices without %s: %s: %s", name, type(error).__name__, error)
        return [Notice(kind="silent", service=name, text=f"service {name} does not answer", remedy=SILENT)]


async def _ask(needs: Dependencies, service: str, method: str, path: str, body: bytes = b"") -> bytes:
    """The body of a service's answer. Raises what it refuses with, and Unavailable where it does not answer."""
    peer = needs.peers.get(service)
    if peer is None:
        raise Unavailable(f"service {service} is not part of this system")
    answer = await peer.call(method, path, GATEWAY, body=body, headers={"content-type": "application/json"})
    if answer.status == 200:
        return answer.body
    problem = Problem.model_validate_json(answer.body)
    raise kind_of(answer.status)(problem.detail, remedy=problem.remedy)


async def _parked(needs: Dependencies) -> Notice | None:
    try:
        count = await needs.bus.count_parked()
    except BusUnavailable:
        return Notice(kind="silent", service="bus", text="the bus does not answer", remedy=SILENT)
    if not count:
        return None
    text = "1 message is set aside" if count == 1 else f"{count} messages are set aside"
    return Notice(kind="parked", service="bus", text=text, remedy="see why, then replay or drop them: parked messages")


async def _on_hold(needs: Dependencies) -> Notice | None:
    now_ms = needs.clock()
    people = sum(user.on_hold and not user.disabled for user in await needs.store.list_users())
    keys = sum(key.on_hold and key.is_usable(now_ms) for key in await needs.store.list_keys())
    if not people and not keys:
        return None
    return Notice(
        kind="on_hold",
        service="gateway",
        text=f"on hold since a restore: {people} people, {keys} keys",
        remedy="confirm those that were not revoked since that backup, revoke the others: Settings, or "
        "`build-dashboard users confirm`, `keys confirm`",
    )


async def _adopt_here(needs: Dependencies, agreed: AgreedTime) -> AdoptedClock:
    try:
        await needs.guard.adopt(agreed.now_at)
    except ServiceError as error:
        return AdoptedClock(service="gateway", is_adopted=False, detail=error.detail, remedy=error.remedy)
    return AdoptedClock(service="gateway", is_adopted=True)


async def _adopt_by_peer(name: str, peer: ServiceClient, agreed: AgreedTime) -> AdoptedClock:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            body = agreed.to_json().encode()
            answer = await peer.call("POST", ADOPT, GATEWAY, body=body, headers={"content-type": "application/json"})
        if answer.status == 204:
            return AdoptedClock(service=name, is_adopted=True)
        problem = Problem.model_validate_json(answer.body)
    except Exception as error:  # noqa: BLE001  as above
        logger.warning("clock of %s: %s: %s", name, type(error).__name__, error)
        return AdoptedClock(service=name, is_adopted=False, detail=f"service {name} does not answer", remedy=SILENT)
    return AdoptedClock(service=name, is_adopted=False, detail=problem.detail, remedy=problem.remedy)
