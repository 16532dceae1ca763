"""Routes that redeem tickets of the directory: the ticket is the whole permission, nobody is logged in."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import FileResponse

from artifacts.disposition import attachment
from artifacts.objects import NotWhole, UploadGone
from artifacts.objects.directory import ROUTE, DirectoryObjects
from artifacts.objects.ticket import BadTicket

router = APIRouter(tags=["artifacts"])

TicketPath = Annotated[str, Path(max_length=8192)]


@router.put(ROUTE + "{ticket}", status_code=204)
async def put_object(ticket: TicketPath, request: Request) -> Response:
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


@router.get(ROUTE + "{ticket}", response_class=FileResponse)
async def get_object(ticket: TicketPath, request: Request) -> Response:
    """The bytes, to be saved and never shown."""
    objects: DirectoryObjects = request.app.state.objects
    try:
        promised = objects.tickets.read(ticket, "get")
    except BadTicket as error:
        raise HTTPException(403, str(error)) from error
    path = objects.path_of(promised)
    if path is None:
        raise HTTPException(410, "this artifact was forgotten")
    headers = {
        "Content-Disposition": attachment(promised.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
    }
    return FileResponse(path, media_type="application/octet-stream", headers=headers)
