"""Error answers: RFC 9457 problem details, made in one place."""

from http import HTTPStatus

from build_protocol.views import Problem
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from build_chassis.errors import Internal, Invalid, Malformed, ServiceError, kind_of

MEDIA_TYPE = "application/problem+json"


def problem(error: ServiceError, instance: str | None = None) -> Response:
    """An error answer as problem details (RFC 9457), with the status's standard title.

    Args:
        error: What was wrong and what to do.
        instance: The path of the request.
    """
    title = HTTPStatus(error.status).phrase
    body = Problem(
        title=title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        remedy=error.remedy,
        instance=instance,
    )
    answer = Response(body.to_json(), status_code=error.status, media_type=MEDIA_TYPE)
    answer.headers.update(error.headers)
    return answer


def install(app: FastAPI) -> None:
    """Answer every error of this app as problem details."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)  # noqa: S101  narrows the type FastAPI's registry cannot express
        return problem(error, request.url.path)

    async def of_the_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  as above
        if isinstance(error.__cause__, RecursionError):
            return problem(Invalid("body: nested too deeply to be read"), request.url.path)
        detail, phrase = str(error.detail), HTTPStatus(error.status_code).phrase
        if detail == phrase:  # the framework's own word, which names nothing
            detail = f"{request.method} {request.url.path[:200]}: {phrase.lower()}"
        return problem(kind_of(error.status_code)(detail, error.headers), request.url.path)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  as above
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5])
        return problem(Invalid(faults), request.url.path)

    async def gone(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's signature
        # Nobody reads it, and nobody logs a bug of ours.
        return problem(Malformed("the request broke off"), request.url.path)

    async def unforeseen(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's signature
        return problem(Internal("this is our fault; the log of the service has it"), request.url.path)

    app.add_exception_handler(ServiceError, ours)
    app.add_exception_handler(HTTPException, of_the_framework)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, unforeseen)
