"""Errors that mean the same in every service, and how each is answered.

    ServiceError                  code             status
      Malformed                   malformed        400
      Unauthenticated             unauthenticated  401
      Forbidden                   forbidden        403
      NotFound                    not_found        404
      MethodNotAllowed            not_allowed      405
      TimedOut                    timeout          408
      Conflict                    conflict         409
      Gone                        gone             410
      TooLarge                    too_large        413
      RangeNotSatisfiable         range            416
      Invalid                     invalid          422
      RateLimited                 rate_limited     429
      Internal                    internal         500
      Unavailable                 unavailable      503
        StoreUnavailable

The set is coarse on purpose: a client decides by the code, a person by the sentences. A service raises one of these, or
a class of its own below one of them; `problems` turns it into RFC 9457 problem details, in one place.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from build_protocol.views import ErrorCode

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
RETRY_AFTER_SECONDS = 5
"""When a client may ask again what could not be answered now."""


class ServiceError(Exception):
    """An error that a client is answered.

    Args:
        detail: what was wrong and where, as a sentence that anybody may read.
        headers: of the answer.
        remedy: what to do about it, where the class's own sentence does not fit.
    """

    code: ClassVar[ErrorCode] = "internal"
    status: ClassVar[int] = 500
    advice: ClassVar[str] = "This is our fault: report the time of the request; the log of the service has it."

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None, *, remedy: str | None = None) -> None:
        super().__init__(detail)
        self.headers: Mapping[str, str] = headers or NO_HEADERS
        self.remedy = remedy or self.advice

    @property
    def detail(self) -> str:
        """What was wrong, as a sentence that anybody may read."""
        return str(self)


class Malformed(ServiceError):
    """The request cannot be read."""

    code = "malformed"
    status = 400
    advice = "Correct the request, then send it again."


class Unauthenticated(ServiceError):
    """Nobody knows who asks."""

    code = "unauthenticated"
    status = 401
    advice = "Log in again, or use a key that is valid."


class Forbidden(ServiceError):
    """Whoever asks may not do this."""

    code = "forbidden"
    status = 403
    advice = "Ask an admin for the role, the key or the project that this needs."


class NotFound(ServiceError):
    """There is no such thing, or none that the caller may see: both look the same."""

    code = "not_found"
    status = 404
    advice = "Check the name; what you may not see is answered the same way."


class MethodNotAllowed(ServiceError):
    """The path takes other methods."""

    code = "not_allowed"
    status = 405
    advice = "Use a method that the API's description names for this path."


class TimedOut(ServiceError):
    """The request did not arrive in time."""

    code = "timeout"
    status = 408
    advice = "Send it again, over a connection that is fast enough."


class Conflict(ServiceError):
    """What is asked does not fit the present state of things."""

    code = "conflict"
    status = 409
    advice = "Look at how things stand now, then decide again."


class Gone(ServiceError):
    """It was there once."""

    code = "gone"
    status = 410
    advice = "It does not come back: go on without it."


class TooLarge(ServiceError):
    """More than is taken."""

    code = "too_large"
    status = 413
    advice = "Send less."


class RangeNotSatisfiable(ServiceError):
    """The asked range lies outside."""

    code = "range"
    status = 416
    advice = "Ask for a range within its size."


class Invalid(ServiceError):
    """A field of the request cannot be what it is; the sentence begins with the field."""

    code = "invalid"
    status = 422
    advice = "Correct the named field, then send it again."


class RateLimited(ServiceError):
    """Too often."""

    code = "rate_limited"
    status = 429
    advice = "Wait for as long as Retry-After says, then try again."


class Internal(ServiceError):
    """A defect of ours."""


class Unavailable(ServiceError):
    """Something that the answer needs is away for now."""

    code = "unavailable"
    status = 503
    advice = "Wait for as long as Retry-After says, then try again."

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None, *, remedy: str | None = None) -> None:
        super().__init__(detail, {"Retry-After": str(RETRY_AFTER_SECONDS), **(headers or {})}, remedy=remedy)


KINDS: tuple[type[ServiceError], ...] = (
    Malformed,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    TimedOut,
    Conflict,
    Gone,
    TooLarge,
    RangeNotSatisfiable,
    Invalid,
    RateLimited,
    Internal,
    Unavailable,
)


def kind_of(status: int) -> type[ServiceError]:
    """The kind of error of a status that a framework chose; the nearest where it is none of ours."""
    exact = next((kind for kind in KINDS if kind.status == status), None)
    if exact is not None:
        return exact
    return Malformed if status < 500 else Internal


class StoreUnavailable(Unavailable, ConnectionError):
    """The service's store does not answer: stop consuming, wait for it, then go on. Nothing is lost meanwhile.

    `hint` may be shown to anybody: it names no address, no account and no directory.
    """

    def __init__(self, store: str, cause: object, hint: str = "it does not answer") -> None:
        super().__init__(f"store {store} unavailable: {cause}")
        self.store = store
        self.hint = hint

    @property
    def detail(self) -> str:
        """Without the cause, which may name an address or an account."""
        return f"the store of {self.store} is unavailable: {self.hint}"


class Unusable(Exception):
    """What was found in place of a store or a bus file never becomes one by waiting: the process ends and says so."""


class PoisonMessage(ValueError):
    """This message can never be handled, however often it is delivered: park it, its neighbours go on."""
