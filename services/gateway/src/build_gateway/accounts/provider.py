"""The identity provider of the single sign-on: OpenID Connect with code, PKCE, state and nonce."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from build_chassis.errors import Unauthenticated, Unavailable
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ANSWER_SECONDS = 10.0
METADATA_SECONDS = 3600.0
KEYS_SECONDS = 30.0
"""Its keys are read again at most so often where a token is signed by none of them."""

ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Of signatures by a key pair: a shared secret, or none, signs nothing here."""


class ProviderAway(Unavailable):
    """The identity provider does not answer as one."""

    def __init__(self, cause: object) -> None:
        super().__init__("the identity provider does not answer", remedy="Try again later, or use a local account.")
        self.cause = cause


class NotProven(Unauthenticated):
    """The identity provider does not say that it is this person, or no longer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the single sign-on did not succeed: {why}", remedy="Begin again at the log-in page.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gateway names when it asks; the issuer is pinned, everything else is read from it."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: str
    name_claim: str
    groups_claim: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Who it is as the provider says now, and the token by which it can be asked again."""

    subject: str
    name: str
    groups: tuple[str, ...]
    token: str


class Provider:
    """One provider, found by its issuer."""

    def __init__(self, asked: Asked, clock: Callable[[], float] = time.monotonic) -> None:
        self._asked = asked
        self._clock = clock
        self._read_at = float("-inf")
        self._metadata: dict[str, Any] = {}
        self._keys = KeySet([])

    @property
    def issuer(self) -> str:
        """Whose word it is."""
        return self._asked.issuer

    async def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where the person proves who they are. Raises ProviderAway."""
        metadata = await self._known()
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        return str(url)

    async def redeem(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Proof:
        """Who came back with this code. Raises NotProven, ProviderAway."""
        metadata = await self._known()
        token = await self._token(
            redirect_uri,
            lambda client: client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=verifier),
        )
        claims = await self.read(token.get("id_token", ""), {"nonce": {"essential": True, "value": nonce}})
        return await self._proof(token, claims)

    async def ask_again(self, token: str) -> Proof:
        """Whether it is still so, by the token of an earlier proof. Raises NotProven, ProviderAway."""
        metadata = await self._known()
        kept: dict[str, str] = json.loads(token)
        if "refresh" in kept:
            fresh = await self._token(
                None,
                lambda client: client.refresh_token(metadata["token_endpoint"], refresh_token=kept["refresh"]),
            )
            fresh.setdefault("refresh_token", kept["refresh"])
        else:
            fresh = {"access_token": kept["access"]}
        return await self._proof(fresh, {"sub": kept["subject"]})

    async def logged_out(self, logout_token: str) -> str:
        """The subject whom the provider says it logged out. Raises NotProven, ProviderAway."""
        claims = await self.read(logout_token, {"events": {"essential": True}, "iat": {"essential": True}})
        if LOGOUT_EVENT not in claims["events"] or "nonce" in claims or not isinstance(claims.get("sub"), str):
            raise NotProven("the logout token is none, or names nobody by `sub`")
        return str(claims["sub"])

    async def read(self, token: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The claims of a token that the provider signed for us. Raises NotProven, ProviderAway."""
        await self._known()
        for is_last in (False, True):
            try:
                decoded = jwt.decode(token, self._keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError) as error:
                # Anybody may send what is no token: that makes us ask the provider only so often.
                if is_last or self._clock() - self._read_at < KEYS_SECONDS:
                    raise NotProven("its token is not signed by it") from error
                await self._read()  # it may have replaced its keys
            else:
                break
        required = {
            "iss": {"essential": True, "value": self._metadata["issuer"]},
            "aud": {"essential": True, "value": self._asked.client_id},
            "exp": {"essential": "events" not in wanted},
            **wanted,
        }
        try:
            jwt.JWTClaimsRegistry(leeway=30, **required).validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise NotProven("its token is not for this log-in") from error
        return dict(decoded.claims)

    async def _proof(self, token: Mapping[str, Any], claims: dict[str, Any]) -> Proof:
        subject = str(claims["sub"])
        if "userinfo_endpoint" in self._metadata:
            # Asked each time: it is what a provider refuses for whom it no longer knows.
            claims |= await self._userinfo(str(token["access_token"]), subject)
        elif "id_token" in token and "iss" not in claims:
            claims |= await self.read(token["id_token"], {"sub": {"essential": True, "value": subject}})
        groups = claims.get(self._asked.groups_claim) or []
        names = (claims.get(name) for name in (self._asked.name_claim, "preferred_username", "email", "sub"))
        kept = {"subject": subject, "access": token["access_token"]}
        if token.get("refresh_token"):
            kept["refresh"] = token["refresh_token"]
        return Proof(
            subject=subject,
            name=next(name for name in names if isinstance(name, str) and name),
            groups=tuple(str(group) for group in groups) if isinstance(groups, list) else (str(groups),),
            token=json.dumps(kept),
        )

    async def _userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await self._get(self._metadata["userinfo_endpoint"], headers)
        if answer.status_code in {400, 401, 403, 404}:
            raise NotProven("it knows this person no longer")
        claims = _json(answer)
        if claims.get("sub") != subject:
            raise NotProven("it named somebody else")
        return claims

    async def _token(self, redirect_uri: str | None, ask: Callable[[Any], Any]) -> dict[str, Any]:
        async with self._client(redirect_uri) as client:
            try:
                return dict(await ask(client))
            except AuthlibBaseError as error:
                if getattr(error, "error", "") in {"temporarily_unavailable", "server_error"}:
                    raise ProviderAway(error) from error
                raise NotProven("it refused") from error
            except (httpx.HTTPError, ValueError, KeyError) as error:
                raise ProviderAway(error) from error

    async def _known(self) -> dict[str, Any]:
        if self._clock() - self._read_at > METADATA_SECONDS:
            await self._read()
        return self._metadata

    async def _read(self) -> None:
        metadata = _json(await self._get(f"{self._asked.issuer.rstrip('/')}/.well-known/openid-configuration"))
        if str(metadata.get("issuer", "")).rstrip("/") != self._asked.issuer.rstrip("/"):
            raise ProviderAway(f"its configuration is that of another issuer, {metadata.get('issuer')!r}")
        if any(is_plain(str(metadata.get(name, ""))) for name in ADDRESSES):
            raise ProviderAway(f"its configuration lacks an address with TLS of {', '.join(ADDRESSES)}")
        keys = _json(await self._get(metadata["jwks_uri"]))
        self._metadata, self._read_at = metadata, self._clock()
        self._keys = KeySet.import_key_set(cast("Any", keys))

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False) as client:
                return await client.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise ProviderAway(error) from error

    def _client(self, redirect_uri: str | None) -> Any:
        return AsyncOAuth2Client(
            self._asked.client_id,
            self._asked.client_secret,
            scope=self._asked.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=ANSWER_SECONDS,
        )


def is_plain(url: str) -> bool:
    """Whether what is sent there could be read on its way: no TLS, and not to this machine."""
    parts = urlsplit(url)
    return parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        if answer.is_success and isinstance(body := answer.json(), dict):
            return body
    except ValueError as error:
        raise ProviderAway(error) from error
    raise ProviderAway(f"{answer.status_code} from {answer.url}")
