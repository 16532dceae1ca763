"""Which requests the audit has: every change, every download and every refusal, whoever's routes they are for."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from build_chassis.access_log import shown_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from build_gateway.audit import Act, Audit, acts_of_request

REFUSED = frozenset({401, 403, 429})
REFUSALS_A_MINUTE = 30
"""So many refusals of one address are noted; the access log has all of them."""

ADDRESSES_MAX = 10_000

_DOWNLOAD = re.compile(r"/api/(?:artifacts/(?:[^/]+/download|objects/[^/]+)|audit/export|builds/[^/]+/log\.txt)")
_QUIET = frozenset({("POST", "/api/auth/refresh"), ("POST", "/api/tokens/awaited")})
"""Asked again and again, by every open page or by a program that waits: only refusals are news."""


class Audited:
    """Middleware that notes each of these before it is answered: what a client knows of is in the trail."""

    def __init__(self, app: ASGIApp, *, audit: Audit, now: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._audit = audit
        self._now = now
        self._refusals: OrderedDict[str, tuple[int, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and note."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        is_noted = False
        acts: list[Act] = []
        acts_of_request.set(acts)

        async def see(message: Message) -> None:
            nonlocal is_noted
            if message["type"] == "http.response.start":
                is_noted = True
                await self._note(scope, message["status"], acts)
            await send(message)

        try:
            await self._app(scope, receive, see)
        finally:
            if not is_noted:
                await self._note(scope, 500, acts)

    async def _note(self, scope: Scope, status: int, acts: Sequence[Act]) -> None:
        method, path = scope["method"], shown_path(scope)
        address = (scope.get("client") or ("unknown",))[0]
        is_refused = status in REFUSED
        if not acts and not is_refused and ((method, path) in _QUIET or not is_act(method, scope["path"])):
            return
        if is_refused and not self._is_noted(address):
            return
        state = scope.get("state", {})
        action = "refused" if is_refused else "download" if method in ("GET", "HEAD") else "request"
        for act in acts or [Act(state.get("caller") or "nobody", action, f"{method} {path}")]:
            await self._audit.write(act, address=address, result=str(status), request_id=state.get("request_id"))

    def _is_noted(self, address: str) -> bool:
        minute = int(self._now() // 60)
        of, count = self._refusals.pop(address, (minute, 0))
        count = count + 1 if of == minute else 1
        self._refusals[address] = (minute, count)
        if len(self._refusals) > ADDRESSES_MAX:
            self._refusals.popitem(last=False)
        return count <= REFUSALS_A_MINUTE


def is_act(method: str, path: str) -> bool:
    """Whether this request changes something, or takes a file away."""
    return method not in ("GET", "HEAD", "OPTIONS") or _DOWNLOAD.fullmatch(path) is not None
