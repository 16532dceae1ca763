"""Bodies of the gateway's own routes are small: a large one is refused before it is read."""

from chassis import problems
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

BODY_BYTES = 64 * 1024
OWN_PATHS = ("/api/auth", "/api/users", "/api/keys", "/api/commands", "/api/agents", "/api/projects")


class BodyLimit:
    """Middleware; forwarded requests (an artifact's bytes) stream through with any length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and scope["path"].startswith(OWN_PATHS):
            headers = Headers(scope=scope)
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers:
                await problems.problem(411, "send the body's Content-Length", scope["path"])(scope, receive, send)
                return
            if not length.isdigit() or int(length) > BODY_BYTES:
                detail = f"the body is limited to {BODY_BYTES} bytes"
                await problems.problem(413, detail, scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)
