"""The route that takes bytes for the directory: the ticket is the whole permission, nobody is logged in."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request, Response

from build_artifacts.objects import NotWhole, UploadGone
from build_artifacts.objects.directory import ROUTE, DirectoryObjects
from build_artifacts.objects.ticket import BadTicket

router = APIRouter(tags=["artifacts"])


@router.put(ROUTE + "{ticket}", status_code=204)
async def put_object(ticket: Annotated[str, Path(max_length=8192)], request: Request) -> Response:
    """Bring the bytes the ticket promises; others are refused and leave nothing behind."""
    objects: DirectoryObjects = request.app.state.objects
    try:
        promised = objects.tickets.read(ticket, "put")
        length = request.headers.get("content-length")
        if length is not None and length != str(promised.size_bytes):
            raise NotWhole(f"{length} bytes offered, {promised.size_bytes} promised")
        await objects.receive(promised, request.stream())
    except BadTicket as error:
        raise HTTPException(403, str(error)) from error
    except NotWhole as error:
        raise HTTPException(400, str(error)) from error
    except UploadGone as error:
        raise HTTPException(404, "this upload was taken back: offer the artifact again") from error
    return Response(status_code=204)
