"""Single sign-on: people whom a provider vouches for, asked again while they work, and out when it no longer does."""

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable

from build_chassis.errors import Conflict, Forbidden, StoreUnavailable

from build_gateway.accounts.directory import Directory, Grant, ending_tokens
from build_gateway.accounts.provider import NotProven, Proof, Provider, ProviderAway
from build_gateway.accounts.sealing import Sealing
from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import User

logger = logging.getLogger("gateway")
ASKED_SECONDS = 25.0
"""A person at work is asked about again when the last answer is this old."""

WAITED_SECONDS = 40.0
"""With an older answer nothing is shown before there is a new one: who was put out is out within 60 s."""

CLAIMED_SECONDS = 15.0
"""One gateway asks at a time: providers take a refresh token that is used twice for a stolen one."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}")


class SingleSignOn:
    """The people of one provider."""

    def __init__(
        self,
        provider: Provider,
        store: GatewayStore,
        directory: Directory,
        sealing: Sealing,
        *,
        away_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.provider = provider
        self._store = store
        self._directory = directory
        self._sealing = sealing
        self._away_seconds = away_seconds
        self._clock = clock
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def log_in(self, proof: Proof) -> Grant:
        """Let in whom the provider vouches for; who is new gets an account. Raises Forbidden, Conflict."""
        identity = self.identity_of(proof.subject)
        known = next((user for user in await self._store.list_users() if user.identity == identity), None)
        vouched = {
            "groups": proof.groups,
            "identity": identity,
            "provider_token": self._sealing.seal(proof.token),
            "vouched_at": self._now_ms(),
        }
        fresh = known or User(name=proof.name, role="viewer", projects=(), password_hash="", created_at=self._now_ms())
        rights = await self._directory.principal_now(fresh.model_copy(update=vouched))
        if rights.projects is not None and not rights.projects:
            raise Forbidden(
                "the single sign-on knows you, and none of your groups has a role here",
                remedy="Ask an admin for a role of one of your groups.",
            )
        if known is None:
            if NAME.fullmatch(proof.name) is None:
                raise Conflict(
                    f"{proof.name!r} cannot be a user name here: choose another claim for GATEWAY_OIDC_NAME_CLAIM"
                )
            if not await self._store.add_user(fresh.model_copy(update=vouched)):
                raise Conflict(
                    f"user {proof.name} is somebody else's account here: ask an admin to remove or rename it"
                )
        else:
            await self._store.change_user(known.name, lambda user: user.model_copy(update=vouched))
        self._directory.forget(fresh.name)
        user = await self._store.find_user(fresh.name)
        if user is None or not user.may_log_in:
            raise Forbidden("this account is disabled here")
        return await self._directory.begin_session(user)

    async def confirm(self, user: User) -> User | None:
        """The user as vouched for by now; None: no longer, and every session of theirs has ended."""
        age = self._age(user)
        if age < ASKED_SECONDS:
            return user
        asking = self._asking.get(user.name)
        if asking is None:
            asking = asyncio.create_task(self._ask(user.name), name=f"ask the provider about {user.name}")
            self._asking[user.name] = asking
            asking.add_done_callback(lambda _: self._asking.pop(user.name, None))
        if age < WAITED_SECONDS:
            return user
        await asyncio.wait([asking])
        now = await self._store.find_user(user.name)
        # An answer that does not come says nothing of the person: outages of the provider are borne for a while.
        return now if now is not None and now.provider_token and self._age(now) < self._away_seconds else None

    async def end(self, subject: str) -> None:
        """The provider says that this person logged out, or was: all their sessions here end."""
        identity = self.identity_of(subject)
        for user in await self._store.list_users():
            if user.identity == identity:
                await self._end(user.name)

    def identity_of(self, subject: str) -> str:
        """The provider's person, whatever they are called."""
        return hashlib.sha256(f"{self.provider.issuer}\n{subject}".encode()).hexdigest()

    async def _ask(self, name: str) -> None:
        claim = secrets.token_hex(8)
        try:
            user = await self._store.change_user(name, lambda user: self._claimed(user, claim))
            token = self._sealing.open(user.provider_token) if user and user.ask_claim == claim else None
            if user is None or user.ask_claim != claim:
                return  # another gateway asks
            if token is None:
                await self._end(name)
                return
            proof = await self.provider.ask_again(token)
            await self._vouched(user, proof)
        except NotProven as error:
            logger.info("end the sessions of user %s: %s", name, error)
            await self._end(name)
        except (ProviderAway, StoreUnavailable) as error:
            logger.warning("cannot ask about user %s: %s", name, getattr(error, "cause", error))

    async def _vouched(self, before: User, proof: Proof) -> None:
        update = {
            "groups": proof.groups,
            "provider_token": self._sealing.seal(proof.token),
            "vouched_at": self._now_ms(),
            "ask_claim": "",
        }
        await self._directory.change(before.name, lambda user: user.model_copy(update=update), ends_sessions=False)

    async def _end(self, name: str) -> None:
        await self._directory.change(
            name, lambda user: ending_tokens(user.model_copy(update={"provider_token": "", "ask_claim": ""}))
        )

    def _claimed(self, user: User, claim: str) -> User:
        now_ms = self._now_ms()
        if user.ask_claim and now_ms < user.claimed_at + CLAIMED_SECONDS * 1000:
            return user
        return user.model_copy(update={"ask_claim": claim, "claimed_at": now_ms})

    def _age(self, user: User) -> float:
        return self._clock() - user.vouched_at / 1000

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
