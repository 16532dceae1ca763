"""Routes of notifier: who was notified of what, mutes, and the mail provider's webhook."""

from collections.abc import Sequence
from typing import Annotated
from uuid import uuid4

from build_chassis.auth import Caller, Principal
from build_chassis.errors import Conflict, Invalid, NotFound, Unauthenticated
from build_chassis.pagination import decode_cursor, encode_cursor
from build_chassis.store.optimistic import LOST, Lost, update
from fastapi import APIRouter, Path, Query, Request, Response

from build_notifier.channels.sendgrid import webhook
from build_notifier.channels.sendgrid.channel import NOTIFICATION_ARG
from build_notifier.dependencies import Needs
from build_notifier.records.mutes import MUTES_MAX, Mute, MuteRequest
from build_notifier.records.notification import State
from build_notifier.settings import Settings
from build_notifier.store import NotificationQuery, NotifierStore
from build_notifier.views import MuteList, NotificationDetail, NotificationList, NotificationRow, WebhookResult

router = APIRouter(prefix="/api/notifications", tags=["notifications"])


def routers(_: Settings) -> Sequence[APIRouter]:
    """Every route of the service."""
    return (router,)


MuteId = Annotated[str, Path(max_length=64)]


@router.get("", response_model_exclude_none=True)
async def list_notifications(
    *,
    caller: Caller,
    needs: Needs,
    project: Annotated[str | None, Query(max_length=64)] = None,
    state: State | None = None,
    incident: Annotated[str | None, Query(max_length=64)] = None,
    build: Annotated[str | None, Query(max_length=64, description="Id of the build it is about.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=256, description="`nextCursor` of the page before.")] = None,
) -> NotificationList:
    """Notifications with their delivery logs, newest first."""
    projects = caller.projects
    if project is not None:
        projects = frozenset({project} if caller.may_see(project) else ())
    query = NotificationQuery(
        limit=limit + 1,
        projects=projects,
        state=state,
        incident=incident,
        build_id=build,
        after=None if cursor is None else decode_cursor(cursor),
    )
    page = await needs.store.list_notifications(query)
    shown = page[:limit]
    following = encode_cursor(shown[-1].created_at, shown[-1].id) if len(page) > limit else None
    return NotificationList(items=[NotificationRow.of(row) for row in shown], next_cursor=following)


@router.get("/mutes", response_model_exclude_none=True)
async def list_mutes(caller: Caller, needs: Needs) -> MuteList:
    """Mutes, ended ones included until they are forgotten."""
    return MuteList(items=[mute for mute in await needs.store.mutes() if caller.may_see(mute.project)])


@router.post("/mutes", status_code=201, response_model_exclude_none=True)
async def create_mute(wanted: MuteRequest, caller: Caller, needs: Needs) -> Mute:
    """Send nothing about a project, a branch, a config or an incident until a time."""
    caller.require(wanted.project, "developer")
    _ends_later(wanted, needs.clock())
    if len(await needs.store.mutes()) >= MUTES_MAX:
        raise Conflict(f"there are {MUTES_MAX} mutes already: delete some")
    mute = Mute(**wanted.model_dump(), id=uuid4().hex, created_by=caller.name, created_at=needs.clock())
    await needs.store.put_mute(mute)
    return mute


@router.put("/mutes/{mute_id}", response_model_exclude_none=True)
async def change_mute(mute_id: MuteId, wanted: MuteRequest, caller: Caller, needs: Needs) -> Mute:
    """Replace what a mute covers, or its end."""
    known = await _visible(mute_id, caller, needs.store)
    caller.require(known.project, "developer")
    caller.require(wanted.project, "developer")
    _ends_later(wanted, needs.clock())
    mute = Mute(**wanted.model_dump(), id=known.id, created_by=caller.name, created_at=known.created_at)
    await needs.store.put_mute(mute)
    return mute


@router.delete("/mutes/{mute_id}", status_code=204)
async def delete_mute(mute_id: MuteId, caller: Caller, needs: Needs) -> Response:
    """Notify again; what was suppressed meanwhile stays suppressed."""
    caller.require((await _visible(mute_id, caller, needs.store)).project, "developer")
    await needs.store.drop_mute(mute_id)
    return Response(status_code=204)


@router.post("/webhooks/sendgrid")
async def sendgrid_events(request: Request, needs: Needs) -> WebhookResult:
    """Events of SendGrid's signed Event Webhook; the signature, not a login, proves that they are SendGrid's."""
    key = needs.webhook_key
    if key is None:
        raise NotFound("no webhook here: set NOTIFIER_SENDGRID_WEBHOOK_KEY")
    body = await request.body()
    signature = request.headers.get(webhook.SIGNATURE_HEADER, "")
    timestamp = request.headers.get(webhook.TIMESTAMP_HEADER, "")
    try:
        events = webhook.read_events(body, signature, timestamp, key)
    except webhook.Forged as error:
        raise Unauthenticated(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise Invalid(f"body: {error}") from error
    for event in events:
        needs.metrics.webhook.labels(str(event.get("event"))[:20]).inc()
        await _note(needs.store, event, needs.clock())
    return WebhookResult(events=len(events))


@router.get("/{notification_id}", response_model_exclude_none=True)
async def get_notification(
    notification_id: Annotated[str, Path(max_length=64)], caller: Caller, needs: Needs
) -> NotificationDetail:
    """One notification, with its text and everything that happened to it."""
    found = (await needs.store.notifications([notification_id])).get(notification_id)
    if found is None or not caller.may_see(found.project):
        raise NotFound("no such notification")
    return NotificationDetail.of(found)


async def _note(store: NotifierStore, event: dict[str, object], now_ms: int) -> None:
    notification_id = str(event[NOTIFICATION_ARG])

    async def note() -> Lost | None:
        known = (await store.notifications([notification_id])).get(notification_id)
        if known is None:
            return None
        after = webhook.settled(known, event, now_ms)
        return None if after is known or await store.put_notification(after) is not None else LOST

    await update("notifier", f"notification {notification_id}", note)


async def _visible(mute_id: str, caller: Principal, store: NotifierStore) -> Mute:
    for mute in await store.mutes():
        if mute.id == mute_id and caller.may_see(mute.project):
            return mute
    raise NotFound("no such mute")


def _ends_later(wanted: MuteRequest, now_ms: int) -> None:
    if wanted.until_at <= now_ms:
        raise Invalid("body.untilAt: a mute ends in the future")
    if wanted.until_fixed and wanted.incident is None:
        raise Invalid("body.untilFixed: name the incident that it ends with")
