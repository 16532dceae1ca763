"""The second factor of who is logged in, and its end by an admin for who has lost it."""

from typing import Annotated

from build_chassis.auth import Principal
from build_chassis.errors import Forbidden, NotFound
from build_protocol.model import RequestModel, WireModel
from fastapi import APIRouter, Path, Request, Response
from pydantic import ConfigDict, Field

from build_gateway.caller import Admin, LoggedIn, Person, client_address
from build_gateway.dependencies import Dependencies, Needs
from build_gateway.routes.auth import NAME_PATTERN
from build_gateway.store.rows import User

router = APIRouter(prefix="/api/users", tags=["users"])
OWN = "/me/second-factor"
Code = Annotated[str, Field(min_length=6, max_length=32)]


class SecondFactorState(WireModel):
    """Whether log-ins need a code, and how many recovery codes are left."""

    is_on: bool
    recovery_codes_left: int = 0


class PasswordAgain(RequestModel):
    """The own password: who has the session need not be its person."""

    model_config = ConfigDict(extra="forbid")

    password: str = Field(min_length=1, max_length=1024)


class OfferedSecondFactor(WireModel):
    """What to set the authenticator up with, shown this once; `address` is an `otpauth:` URL of the same."""

    secret: str
    address: str


class CodeShown(RequestModel):
    """A code of the authenticator."""

    model_config = ConfigDict(extra="forbid")

    code: Code


class EndOfSecondFactor(PasswordAgain):
    """The own password and a code, of the authenticator or for recovery."""

    code: Code


class RecoveryCodes(WireModel):
    """Codes for who has lost the authenticator, each good once; shown this once."""

    codes: list[str]


@router.get(OWN)
async def get_second_factor(needs: Needs, caller: Person) -> SecondFactorState:
    """Whether the caller's log-ins need a code."""
    factor = (await _user(needs, caller)).second_factor
    if factor is None or not factor.is_on:
        return SecondFactorState(is_on=False)
    return SecondFactorState(is_on=True, recovery_codes_left=len(factor.recovery))


@router.post(OWN)
async def offer_second_factor(
    body: PasswordAgain, request: Request, response: Response, needs: Needs, caller: LoggedIn
) -> OfferedSecondFactor:
    """A new secret for an authenticator; it counts once a code of it was confirmed."""
    await _check_password(body, request, needs, caller)
    offer = await needs.second_factors.offer(caller.name)
    response.headers["Cache-Control"] = "no-store"
    return OfferedSecondFactor(secret=offer.secret, address=offer.address)


@router.post(f"{OWN}/confirm")
async def confirm_second_factor(body: CodeShown, response: Response, needs: Needs, caller: LoggedIn) -> RecoveryCodes:
    """Turn it on by a first code. Wrong ones are throttled."""
    codes = await needs.second_factors.turn_on(caller.name, body.code)
    if codes is None:
        raise Forbidden("this is not the code of now: look at the clock of the authenticator, or set it up again")
    needs.directory.forget(caller.name)
    await needs.audit.note(caller.name, "turn on second factor", caller.name)
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodes(codes=list(codes))


@router.post(f"{OWN}/end", status_code=204)
async def end_own_second_factor(body: EndOfSecondFactor, request: Request, needs: Needs, caller: LoggedIn) -> None:
    """Turn it off, by the password and a code. Wrong ones are throttled as at log-in."""
    user = await _check_password(body, request, needs, caller)
    if not await needs.second_factors.check(user, body.code):
        raise Forbidden("this code is wrong, or was used before")
    await _end(needs, caller, caller.name)


@router.delete("/{name}/second-factor", status_code=204)
async def end_second_factor(
    name: Annotated[str, Path(pattern=NAME_PATTERN, max_length=128)], needs: Needs, caller: Admin
) -> None:
    """Turn a person's off: the authenticator and the recovery codes are lost. Repeating changes nothing."""
    if await needs.store.find_user(name) is None:
        raise NotFound(f"no user {name}")
    await _end(needs, caller, name)


async def _check_password(body: PasswordAgain, request: Request, needs: Dependencies, caller: Principal) -> User:
    user = await _user(needs, caller)
    async with needs.attempts.attempt(caller.name, client_address(request)) as attempt:
        attempt.is_right = await needs.passwords.check(body.password, user.password_hash)
    if not attempt.is_right:
        raise Forbidden("the password is wrong")
    return user


async def _end(needs: Dependencies, caller: Principal, name: str) -> None:
    await needs.second_factors.end(name)
    await needs.audit.note(caller.name, "end second factor", name)


async def _user(needs: Dependencies, caller: Principal) -> User:
    user = await needs.store.find_user(caller.name)
    if user is None:
        raise NotFound(f"no user {caller.name}")
    return user
