"""Error answers: RFC 9457 problem details, made in one place."""

from http import HTTPStatus

from build_protocol.views import Problem
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from build_chassis.errors import StoreUnavailable
from build_chassis.pagination import BadCursor

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str | None = None, instance: str | None = None) -> Response:
    """An error answer as problem details (RFC 9457), with the status's standard title.

    Args:
        status: The HTTP status.
        detail: What was wrong and what to do, in a sentence.
        instance: The path of the request.
    """
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=instance)
    return Response(body.to_json(), status_code=status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of this app as problem details."""

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  narrows the type FastAPI's registry cannot express
        if isinstance(error.__cause__, RecursionError):
            return problem(422, "body: nested too deeply to be read", request.url.path)
        answer = problem(error.status_code, str(error.detail), request.url.path)
        answer.headers.update(error.headers or {})
        return answer

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  as above
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5])
        return problem(422, faults, request.url.path)

    async def gone(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's signature
        return problem(400, "the request broke off", request.url.path)  # nobody reads it, and nobody logs a bug of ours

    async def store_down(request: Request, error: Exception) -> Response:
        answer = problem(503, str(error), request.url.path)
        answer.headers["Retry-After"] = "5"
        return answer

    async def bad_cursor(request: Request, error: Exception) -> Response:
        return problem(422, str(error), request.url.path)

    async def unforeseen(request: Request, error: Exception) -> Response:  # noqa: ARG001  FastAPI's signature
        return problem(500, "this is our fault; the log of the service has it", request.url.path)

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(StoreUnavailable, store_down)
    app.add_exception_handler(BadCursor, bad_cursor)
    app.add_exception_handler(Exception, unforeseen)
