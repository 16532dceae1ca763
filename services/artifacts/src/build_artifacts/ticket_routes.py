"""The routes of the bytes themselves: the ticket in the path is the whole permission, nobody is logged in."""

from typing import Annotated

from build_chassis.errors import Forbidden, Gone, Malformed, NotFound, RangeNotSatisfiable
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from build_artifacts.dependencies import Needs
from build_artifacts.disposition import attachment
from build_artifacts.downloads import HANDED_OUT, Damaged, OutOfRange, span_of
from build_artifacts.objects import NotWhole, UploadGone
from build_artifacts.objects.directory import ROUTE, DirectoryObjects
from build_artifacts.objects.ticket import BadTicket

SignedText = Annotated[str, Path(max_length=8192)]

directory = APIRouter(tags=["artifacts"])
"""Receives the bytes of uploads where they are stored in a directory."""

relayed = APIRouter(tags=["artifacts"])
"""Receives the bytes of uploads for the object store, from agents that cannot reach it."""

downloads = APIRouter(tags=["artifacts"])
"""Serves the bytes."""


@directory.put(ROUTE + "{ticket}", status_code=204)
async def put_object(ticket: SignedText, needs: Needs, request: Request) -> Response:
    """Upload the bytes the ticket promises; others are refused and leave nothing behind."""
    objects = needs.objects
    assert isinstance(objects, DirectoryObjects)  # noqa: S101  these routes are in its app only
    try:
        promised = objects.tickets.read(ticket, "put")
        length = request.headers.get("content-length")
        if length is not None and length != str(promised.size_bytes):
            raise NotWhole(f"{length} bytes offered, {promised.size_bytes} promised")
        await objects.receive(promised, request.stream())
    except BadTicket as error:
        raise Forbidden(str(error)) from error
    except NotWhole as error:
        raise Malformed(str(error)) from error
    except UploadGone as error:
        raise NotFound("this upload was taken back: offer the artifact again") from error
    return Response(status_code=204)


@relayed.put(ROUTE + "{ticket}", status_code=204)
async def relay_object(ticket: SignedText, needs: Needs, request: Request) -> Response:
    """Upload bytes for the object store: the ticket is the whole permission, nobody is logged in."""
    try:
        await needs.relay.run(ticket, request.stream())
    except BadTicket as error:
        raise Forbidden(str(error)) from error
    except NotWhole as error:
        raise Malformed(str(error)) from error
    return Response(status_code=204)


@downloads.get(
    ROUTE + "{ticket}", response_class=StreamingResponse, responses={200: {"content": {"application/octet-stream": {}}}}
)
async def get_object(ticket: SignedText, needs: Needs, request: Request) -> Response:
    """The bytes, to be saved and never displayed: the ticket is the whole permission, nobody is logged in."""
    try:
        key = needs.downloads.tickets.read(ticket, "get").key
    except BadTicket as error:
        raise Forbidden(str(error)) from error
    artifact = await needs.downloads.store.find(key)
    if artifact is None or artifact.state not in HANDED_OUT:
        raise Gone("this artifact was forgotten")
    size, tag = artifact.size_bytes, f'"{artifact.sha256}"'
    wanted = request.headers.get("range") if request.headers.get("if-range", tag) == tag else None
    try:
        span = span_of(wanted, size)
        begin, end = span or (0, size)
        body = await needs.downloads.open(artifact, begin, end)
    except OutOfRange as error:
        raise RangeNotSatisfiable(f"the artifact has {size} bytes", {"Content-Range": f"bytes */{size}"}) from error
    except Damaged as error:
        raise Gone(str(error)) from error
    headers = {
        "Content-Length": str(end - begin),
        "Content-Disposition": attachment(artifact.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "Accept-Ranges": "bytes",
        "ETag": tag,
    }
    if span:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    return StreamingResponse(body, 206 if span else 200, headers, "application/octet-stream")
