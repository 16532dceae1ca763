"""The dashboard's page: the built files this package carries; any other path is routed by the page itself."""

import asyncio
import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from build_chassis import problems
from build_chassis.errors import NotFound
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse

PAGE = Path(__file__).parent / "page"
IMMUTABLE = "public, max-age=31536000, immutable"
FRESH = "no-cache"
COMPRESSED = frozenset({".html", ".js", ".css", ".svg", ".json", ".map", ".txt"})
NOT_BUILT = """The dashboard's page is not built.

From a checkout: `npm install && npm run build`, then reload.
Release wheels and images carry the page; the API under /api/ works without it.
"""


OPERATIONS = frozenset({"metrics", "drain", "debug", "docs", "redoc", "openapi.json"})
"""Where other programs have what is for their operators: here is nothing, and no page instead of it."""


def page_router(folder: Path = PAGE) -> APIRouter:
    """Routes that serve the page from a folder; looked at per request, so that a build needs no restart."""
    router = APIRouter()

    @router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(path: str, request: Request) -> Response:
        """A built file, or the page itself for its own paths."""
        if path.startswith(("api/", "internal/")) or path in OPERATIONS:
            return problems.problem(NotFound(f"no route /{path[:200]}"), request.url.path)
        file = _find(folder, path)
        if file is not None:
            # The bundler puts a hash of the content into the name of everything under assets/.
            return await _answer(file, IMMUTABLE if path.startswith("assets/") else FRESH, request)
        if "." in path.rpartition("/")[2] and path.startswith("assets/"):
            return problems.problem(NotFound("no such file"), request.url.path)
        index = folder / "index.html"
        if not index.is_file():
            return PlainTextResponse(NOT_BUILT, status_code=503)
        return await _answer(index, FRESH, request)

    return router


def _find(folder: Path, path: str) -> Path | None:
    if not path or "\0" in path:
        return None
    file = (folder / path).resolve()
    is_inside = file.is_relative_to(folder.resolve())
    try:
        return file if is_inside and file.is_file() else None
    except OSError:  # a name longer than names of files can be
        return None


async def _answer(file: Path, caching: str, request: Request) -> Response:
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    taken = _encodings(request) if file.suffix in COMPRESSED else set()
    media_type, _ = mimetypes.guess_type(file.name)
    packed = file.with_name(f"{file.name}.br")  # by the page's build
    if "br" in taken and packed.is_file():
        return FileResponse(packed, headers={**headers, "Content-Encoding": "br"}, media_type=media_type)
    if "gzip" not in taken:
        return FileResponse(file, headers=headers)
    body = await asyncio.to_thread(_read_compressed, file)
    return Response(body, headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type)


def _encodings(request: Request) -> set[str]:
    """What the client takes; with a quality of zero it says what it does not."""
    named = (each.replace(" ", "").partition(";q=") for each in request.headers.get("accept-encoding", "").split(","))
    return {name for name, _, quality in named if quality.strip("0.") or not quality}


def _read_compressed(file: Path) -> bytes:
    return _compressed(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=128)
def _compressed(file: Path, mtime_ns: int) -> bytes:  # noqa: ARG001  a rebuilt file is compressed again
    return gzip.compress(file.read_bytes(), 6, mtime=0)
