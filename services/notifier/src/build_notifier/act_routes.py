"""Routes of one-tap links: a page that asks, and the button that acts, both by the permission in their address.

GET changes nothing: scanners of mail follow every link. A permission is refused once its incident is closed.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import quote

from build_chassis.auth import Principal
from build_chassis.errors import Conflict, Gone, NotFound, ServiceError, Unavailable
from build_protocol.clock import DAY_MS
from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from build_notifier.dependencies import Dependencies, Needs
from build_notifier.messages.actions import Deed, NoPermission, Permission
from build_notifier.records.branch import Subject
from build_notifier.records.mutes import MUTES_MAX, Mute

router = APIRouter(prefix="/api/notifications/act", tags=["notifications"], include_in_schema=False)

MUTED_MS = 90 * DAY_MS
LEFT_MS = 3650 * DAY_MS
BRANCHES_MAX = 1000
UNCLASSIFIED = "unclassified"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_PAGE = Environment(
    loader=PackageLoader("build_notifier.messages"), autoescape=True, undefined=StrictUndefined
).get_template("act.html.j2")

ASKED: Mapping[Deed, str] = {
    "take": "I'm on it",
    "mute": "Mute until fixed",
    "flaky": "It is flaky",
    "leave": "No more mails",
}
DONE: Mapping[Deed, str] = {
    "take": "You are on it: everybody sees so.",
    "mute": "Nobody is notified of it until it is fixed.",
    "flaky": "It counts as flaky now.",
    "leave": "You get no more mails of this project.",
}

Act = Callable[[Dependencies, Permission], Awaitable[None]]


@router.get("/{token}/{deed}")
async def ask(needs: Needs, token: str, deed: Deed) -> HTMLResponse:
    """A page with the one button; it changes nothing."""
    try:
        permission = _permission(needs, token)
        await _check(needs, permission, deed)
    except ServiceError as error:
        return _page(needs, deed, error=error)
    return _page(needs, deed, permission=permission)


@router.post("/{token}/{deed}")
async def act(needs: Needs, token: str, deed: Deed) -> HTMLResponse:
    """Do it; doing it twice changes nothing more."""
    try:
        permission = _permission(needs, token)
        await _check(needs, permission, deed)
        await _ACTS[deed](needs, permission)
    except ServiceError as error:
        return _page(needs, deed, error=error)
    return _page(needs, deed, permission=permission, is_done=True)


def _permission(needs: Dependencies, token: str) -> Permission:
    try:
        return needs.links.read(token)
    except NoPermission as error:
        raise NotFound(str(error)) from error


async def _check(needs: Dependencies, permission: Permission, deed: Deed) -> None:
    """What is permitted ends with the incident; unsubscribing does not."""
    if deed != "leave" and not (await _subject(needs, permission)).is_open:
        raise Gone("the incident is closed: this link permits nothing any more")


async def _subject(needs: Dependencies, permission: Permission) -> Subject:
    """The incident as it stands; of one that was merged, the one it went on in."""
    key = (permission.project, permission.branch)
    branches = await needs.store.branches_of(permission.project, BRANCHES_MAX)
    subjects = {s.id: s for b in branches if (b.branch.project, b.branch.branch) == key for s in b.branch.subjects}
    subject = subjects.get(permission.incident)
    while subject is not None and subject.merged_into in subjects:
        subject = subjects.pop(str(subject.merged_into))
    if subject is None:
        raise Gone("the incident is closed and forgotten: this link permits nothing any more")
    return subject


async def _take(needs: Dependencies, permission: Permission) -> None:
    path = f"/api/incidents/{quote(permission.incident, safe='')}/acknowledgement"
    await _history(needs, permission, path, {})


async def _flaky(needs: Dependencies, permission: Permission) -> None:
    if permission.build_id is None:
        raise Conflict("no build shows this failure")
    path = f"/api/history/verdicts/{permission.build_id}/{quote(permission.signature or UNCLASSIFIED, safe='')}"
    await _history(needs, permission, path, {"verdict": "flaky", "reason": "by a link in a mail"})


async def _mute(needs: Dependencies, permission: Permission, *, only_recipient: bool = False) -> None:
    now_ms = needs.clock()
    words = ("leave" if only_recipient else "mute", permission.project, permission.incident, permission.recipient)
    mute = Mute(
        id=hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32],
        project=permission.project,
        incident=None if only_recipient else (await _subject(needs, permission)).id,
        recipient=permission.recipient if only_recipient else None,
        until_at=now_ms + (LEFT_MS if only_recipient else MUTED_MS),
        until_fixed=not only_recipient,
        reason="by a link in a mail",
        created_by=permission.recipient,
        created_at=now_ms,
    )
    known = {each.id for each in await needs.store.mutes()}
    if mute.id not in known and len(known) >= MUTES_MAX:
        raise Conflict(f"there are {MUTES_MAX} mutes already: an admin deletes some")
    await needs.store.put_mute(mute)


async def _history(needs: Dependencies, permission: Permission, path: str, body: Mapping[str, str]) -> None:
    """Ask history in the recipient's name, for this project only."""
    history = needs.peers.get("history")
    if history is None:
        raise Unavailable("no service history is part of this system")
    who = Principal(permission.recipient, "developer", frozenset({permission.project}), kind="service")
    headers = {"Content-Type": "application/json"}
    answer = await history.call("PUT", path, who, body=json.dumps(body).encode(), headers=headers)
    if answer.status == 404:
        raise Gone("the incident is forgotten: this link permits nothing any more")
    if answer.status >= 300:
        raise Conflict(f"it could not be done: {_detail(answer.body)}")


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return "the server refused"


_ACTS: Mapping[Deed, Act] = {
    "take": _take,
    "mute": _mute,
    "flaky": _flaky,
    "leave": partial(_mute, only_recipient=True),
}


def _page(
    needs: Dependencies,
    deed: Deed,
    *,
    permission: Permission | None = None,
    is_done: bool = False,
    error: ServiceError | None = None,
) -> HTMLResponse:
    url = needs.settings.dashboard_url.rstrip("/")
    words = {
        "question": ASKED[deed],
        "done": DONE[deed] if is_done else "",
        "error": error.detail if error else "",
        "where": f"{permission.project} {permission.branch or ''}".strip() if permission else "",
        "who": permission.recipient if permission else "",
        "page": f"{url}/incidents/{quote(permission.incident)}" if permission and deed != "leave" else f"{url}/",
    }
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
    return HTMLResponse(_PAGE.render(words), error.status if error else 200, headers)
