"""The second factor: codes of an authenticator (TOTP, RFC 6238), and recovery codes for who has lost it.

Each code is good once, a minute and a half around its time. The secret is stored sealed with `JWT_SECRET_KEY`, recovery
codes by their hashes.
"""

import hashlib
import hmac
import secrets
import time
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass

import pyotp
from build_chassis.errors import Conflict, Unauthenticated

from build_gateway.accounts.attempts import TooManyFailures
from build_gateway.accounts.sealing import Sealing
from build_gateway.accounts.throttle import Throttle
from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import SecondFactor, User

STEP_SECONDS = 30
DRIFT_STEPS = 1
"""A phone's clock may be off by so many steps, either way."""

RECOVERY_CODES = 10
FREE_CODES = 10
"""Wrong codes of an account before each next one has to wait, wherever it comes from: who tries has the password."""

ISSUER = "Build Dashboard"


class SecondFactorMissing(Unauthenticated):
    """The password is right, and not enough."""

    def __init__(self) -> None:
        super().__init__(
            "this account has a second factor: send its code, too",
            {"WWW-Authenticate": "Totp"},
            remedy="give the code of your authenticator, or a recovery code; the command line: build-dashboard login.",
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """What an authenticator is set up with, shown once; `address` is the same as an `otpauth:` URL."""

    secret: str
    address: str


class SecondFactors:
    """Sets up, checks and ends people's second factors.

    Args:
        store: Of the people.
        secret: `JWT_SECRET_KEY`, also of several lines: what any of them sealed can be read.
        clock: Seconds since the Unix epoch.
    """

    def __init__(self, store: GatewayStore, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._sealing = Sealing(secret)
        self._clock = clock
        self._wrong = Throttle(FREE_CODES)

    async def offer(self, name: str) -> Offer:
        """A new secret, which counts once a code of it was shown. Raises Conflict where one is on."""
        secret = pyotp.random_base32()
        factor = SecondFactor(secret=self._sealing.seal(secret))
        changed = await self._store.change_user(
            name, lambda user: user if _is_on(user) else user.model_copy(update={"second_factor": factor})
        )
        if changed is None or changed.second_factor != factor:
            raise Conflict("the second factor is on already", remedy="end it first, then set up another one.")
        return Offer(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER))

    async def turn_on(self, name: str, code: str) -> tuple[str, ...] | None:
        """From now on a log-in needs a code; the recovery codes, shown once. None: the code is wrong.

        Raises TooManyFailures.
        """
        codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
        hashes = tuple(map(_hash, codes))

        def turned_on(user: User, factor: SecondFactor) -> User:
            return user.model_copy(
                update={"second_factor": factor.model_copy(update={"is_on": True, "recovery": hashes})}
            )

        return codes if await self._spend(name, code, turned_on, is_on=False) else None

    async def check(self, user: User, code: str | None) -> bool:
        """Whether the code is one of the person's, and the first of its kind; also where they need none.

        Raises SecondFactorMissing, TooManyFailures.
        """
        if not _is_on(user):
            return True
        if code is None:
            raise SecondFactorMissing
        return await self._spend(user.name, code, lambda now, factor: now.model_copy(update={"second_factor": factor}))

    async def end(self, name: str) -> None:
        """From now on the password is enough; repeating changes nothing."""
        await self._store.change_user(name, lambda user: user.model_copy(update={"second_factor": None}))

    async def _spend(
        self, name: str, code: str, then: Callable[[User, SecondFactor], User], *, is_on: bool = True
    ) -> bool:
        now = self._clock()
        if (seconds := self._wrong.wait_seconds(name, now)) > 0:
            raise TooManyFailures(seconds)
        is_right = False

        def spend(user: User) -> User:
            nonlocal is_right
            factor = user.second_factor
            spent = None if factor is None or factor.is_on is not is_on else self._spent(factor, code, now)
            is_right = spent is not None
            return user if spent is None else then(user, spent)

        await self._store.change_user(name, spend)
        if is_right:
            self._wrong.succeeded(name)
        else:
            self._wrong.failed(name, now)
        return is_right

    def _spent(self, factor: SecondFactor, code: str, now: float) -> SecondFactor | None:
        """The factor without this code; None where it is none of its codes, or was shown before."""
        plain = "".join(code.split()).replace("-", "").lower()
        if plain.isascii() and plain.isdigit():
            secret = self._sealing.open(factor.secret)
            if secret is None:
                return None  # sealed with a key that is gone: recovery codes still count
            totp = pyotp.TOTP(secret)
            step = int(now) // STEP_SECONDS
            for near in range(step - DRIFT_STEPS, step + DRIFT_STEPS + 1):
                if near > factor.last_step and hmac.compare_digest(totp.generate_otp(near), plain):
                    return factor.model_copy(update={"last_step": near})
            return None
        hashed = _hash(plain)
        if hashed not in factor.recovery:
            return None
        return factor.model_copy(update={"recovery": tuple(each for each in factor.recovery if each != hashed)})


def _is_on(user: User) -> bool:
    return user.second_factor is not None and user.second_factor.is_on


def _recovery_code() -> str:
    characters = b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(characters[start : start + 4] for start in range(0, len(characters), 4))


def _hash(code: str) -> str:
    return hashlib.sha256(b"build-dashboard recovery\0" + code.replace("-", "").encode()).hexdigest()
