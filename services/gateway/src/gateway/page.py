"""The dashboard's page: the built files this package carries, any other path is the page's own business."""

from pathlib import Path

from chassis import problems
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse

PAGE = Path(__file__).parent / "page"
IMMUTABLE = "public, max-age=31536000, immutable"
FRESH = "no-cache"
NOT_BUILT = """The dashboard's page is not built.

From a checkout: `npm install && npm run build` (or `make page`), then reload.
Release wheels and images carry the page; the API under /api/ works without it.
"""


def page_router(folder: Path = PAGE) -> APIRouter:
    """Routes that serve the page from a folder; looked at per request, so that a build needs no restart."""
    router = APIRouter()

    @router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(path: str, request: Request) -> Response:
        """A built file, or the page itself for its own paths."""
        if path.startswith(("api/", "internal/")):
            return problems.problem(404, f"no route /{path[:200]}", request.url.path)
        file = _find(folder, path)
        if file is not None:
            # The bundler puts a hash of the content into the name of everything under assets/.
            return FileResponse(file, headers={"Cache-Control": IMMUTABLE if path.startswith("assets/") else FRESH})
        if "." in path.rpartition("/")[2] and path.startswith("assets/"):
            return problems.problem(404, "no such file", request.url.path)
        index = folder / "index.html"
        if not index.is_file():
            return PlainTextResponse(NOT_BUILT, status_code=503)
        return FileResponse(index, headers={"Cache-Control": FRESH})

    return router


def _find(folder: Path, path: str) -> Path | None:
    if not path or "\0" in path:
        return None
    file = (folder / path).resolve()
    is_inside = file.is_relative_to(folder.resolve())
    return file if is_inside and file.is_file() else None
