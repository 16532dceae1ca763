"""Single sign-on against a real provider process: in by code, PKCE, state and nonce; out when the provider says so."""

import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from subprocess import DEVNULL, Popen
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from build_gateway.accounts.passwords import Passwords
from build_gateway.accounts.provider import LOGOUT_EVENT
from build_gateway.accounts.sealing import Sealing
from build_gateway.routes.sso import _local
from build_gateway.settings import Settings
from build_testkit.gateway import PASSWORD, Gateway, closed_with, receive, say
from build_testkit.signing import SECRET
from build_testkit.stack import answers_ok, free_port, wait_until
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

StartGateway = Callable[..., Awaitable[Gateway]]
CALLBACK = "/api/auth/sso/callback"
ANN = {"preferred_username": "ann", "groups": ["team"]}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer: a provider in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    with Popen(command, stdout=DEVNULL, stderr=DEVNULL) as process:
        url = f"http://localhost:{port}"
        wait_until(lambda: answers_ok(f"{url}/.well-known/openid-configuration"), 30, "the provider")
        yield url
        process.terminate()


class Browser:
    """A person's browser, and what the provider has of them."""

    def __init__(self, gateway: Gateway, issuer: str, client: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.issuer = issuer
        self.subject = secrets.token_hex(8)
        self.client = client
        self.token = ""

    async def known(self, **claims: Any) -> None:
        async with httpx.AsyncClient() as client:
            (await client.put(f"{self.issuer}/users/{self.subject}", json=claims)).raise_for_status()

    async def put_out(self) -> None:
        async with httpx.AsyncClient() as client:
            (await client.post(f"{self.issuer}/users/{self.subject}/revoke-tokens")).raise_for_status()

    async def to_provider(self, page: str = "/builds/7") -> str:
        """Where the gateway sends the person; gives where the provider sends them back to."""
        answer = await self.client.get("/api/auth/sso", params={"next": page})
        assert answer.status_code == 303, answer.text
        async with httpx.AsyncClient() as client:
            back = await client.post(answer.headers["location"], data={"sub": self.subject})
        return str(back.headers["location"])

    async def back(self, address: str) -> httpx.Response:
        """The answer to what the provider sent the browser to."""
        parts = urlsplit(address)
        return await self.client.get(f"{parts.path}?{parts.query}")

    async def log_in(self) -> httpx.Response:
        answer = await self.back(await self.to_provider())
        if answer.status_code == 303:
            self.token = (await self.client.post("/api/auth/refresh")).json()["accessToken"]
        return answer

    async def me(self) -> httpx.Response:
        return await self.client.get("/api/auth/me", headers={"Authorization": f"Bearer {self.token}"})


@pytest.fixture
async def sso(start_gateway: StartGateway, provider: str) -> AsyncIterator[Callable[..., Awaitable[Browser]]]:
    """Starts browsers at one gateway whose group `team` may develop."""
    async with AsyncExitStack() as stack:
        gateways: list[Gateway] = []

        async def start(**changes: Any) -> Browser:
            if not gateways or changes:
                gateways[:] = [
                    await start_gateway(
                        oidc_issuer=provider,
                        oidc_client_id="dashboard",
                        oidc_client_secret="of the client",
                        dashboard_url="http://dashboard.localhost",
                        **changes,
                    )
                ]
                rights = {"role": "developer", "projects": ["iree"]}
                (await gateways[0].as_admin("PUT", "/api/groups/team", rights)).raise_for_status()
            browser = Browser(gateways[0], provider, await stack.enter_async_context(gateways[0].http))
            await browser.known(**{**ANN, "preferred_username": f"ann-{browser.subject}"})
            return browser

        yield start


def grow_old(browser: Browser, seconds: float) -> None:
    """That much time passes for the single sign-on and for what the directory has read."""
    parts = browser.gateway.app.state.dependencies
    now = parts.sso._clock
    parts.sso._clock = lambda: now() + seconds
    parts.directory._seen.clear()


async def test_a_person_logs_in_with_the_rights_of_their_groups(sso: Any) -> None:
    """By PKCE, a state and a nonce; back to the page they came from; the same person at the next log-in."""
    browser = await sso()
    options = (await browser.client.get("/api/auth/options")).json()
    begun = await browser.client.get("/api/auth/sso")
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    answer = await browser.log_in()

    assert options["sso"] == "single sign-on"
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert (answer.status_code, answer.headers["location"]) == (303, "/builds/7")
    name = f"ann-{browser.subject}"
    assert (await browser.me()).json() == {"name": name, "role": "developer", "projects": ["iree"], "roles": None}
    await browser.known(preferred_username="renamed", groups=["team"])
    await browser.log_in()
    assert (await browser.me()).json()["name"] == name


async def test_an_attempt_is_good_once_and_in_its_own_browser(sso: Any) -> None:
    """Another browser, another state, a code twice, an error: 401, and nobody is logged in."""
    browser, other = await sso(), await sso()
    address = await browser.to_provider()

    assert (await other.back(address)).status_code == 401
    state = parse_qs(urlsplit(address).query)["state"][0]
    assert (await browser.back(address.replace(state, "x" * len(state)))).status_code == 401
    assert (await browser.back(f"{CALLBACK}?error=access_denied&state={state}")).status_code == 401
    assert (await browser.back(address)).status_code == 303
    assert (await browser.back(address)).status_code == 401
    assert (await other.client.post("/api/auth/refresh")).status_code == 401


async def test_who_has_no_role_gets_no_account(sso: Any) -> None:
    """A group that nobody knows gives nothing; a name that is taken stays whose it is."""
    browser, taken = await sso(), await sso()
    await browser.known(preferred_username="eve", groups=["strangers"])
    await taken.known(preferred_username="admin", groups=["team"])

    assert (await browser.log_in()).status_code == 403
    assert (await taken.log_in()).status_code == 409
    names = {user["name"] for user in (await browser.gateway.as_admin("GET", "/api/users")).json()["items"]}
    assert "eve" not in names


async def test_who_is_put_out_at_the_provider_is_out_within_a_minute(sso: Any) -> None:
    """The token, the cookie, personal tokens and the open socket; whoever is still known stays in."""
    gone, stays = await sso(), await sso()
    for browser in (gone, stays):
        await browser.log_in()
    async with gone.gateway.viewer() as socket:
        await say(socket, type="AUTH", token=gone.token)
        await receive(socket, "READY")
        headers = {"Authorization": f"Bearer {gone.token}"}
        personal = (await gone.client.post("/api/tokens", json={"name": "laptop"}, headers=headers)).json()["value"]
        await gone.put_out()
        assert (await gone.me()).status_code == 200, "nobody asks again at once"
        grow_old(gone, 45)

        assert await closed_with(socket) == 4401
    assert (await gone.me()).status_code == 401
    assert (await gone.client.post("/api/auth/refresh")).status_code == 401
    gone.token = personal
    assert (await gone.me()).status_code == 401
    assert (await stays.me()).status_code == 200
    assert (await stays.client.post("/api/auth/refresh")).status_code == 200


async def test_other_groups_at_the_provider_are_other_rights_here(sso: Any) -> None:
    """Within a minute, without a log-in."""
    browser = await sso()
    await browser.log_in()
    await browser.gateway.as_admin("PUT", "/api/groups/leads", {"role": "maintainer", "projects": ["llvm"]})
    await browser.known(preferred_username="x", groups=["leads"])
    grow_old(browser, 45)

    assert (await browser.me()).status_code == 401
    browser.token = (await browser.client.post("/api/auth/refresh")).json()["accessToken"]
    assert (await browser.me()).json()["projects"] == ["llvm"]
    path = f"/api/groups/team/members/ann-{browser.subject}"
    for method in ("PUT", "DELETE"):
        assert (await browser.gateway.as_admin(method, path)).status_code == 409, "the provider decides"


async def test_a_provider_that_is_away_puts_nobody_out_for_a_while(sso: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is known to have left; after the time that is set nobody is known to be still there."""
    browser = await sso()
    await browser.log_in()
    provider = browser.gateway.app.state.dependencies.sso.provider
    provider._metadata = {**provider._metadata, "token_endpoint": f"http://127.0.0.1:{free_port()}/"}
    grow_old(browser, 100)
    assert (await browser.me()).status_code == 200

    grow_old(browser, 900)
    assert (await browser.me()).status_code == 401
    assert await browser.gateway.login(), "the local admin is let in all the same"


async def test_the_provider_logs_people_out(sso: Any) -> None:
    """By a logout token that it signed for us; by nothing else that looks like one."""
    browser, other = await sso(), await sso()
    for each in (browser, other):
        await each.log_in()
    key, strange = (RSAKey.generate_key(2048, parameters={"kid": "k"}) for _ in range(2))
    browser.gateway.app.state.dependencies.sso.provider._keys = KeySet([key])
    good = {"iss": browser.issuer, "aud": "dashboard", "iat": int(time.time()), "jti": "1", "sub": browser.subject}
    good |= {"events": {LOGOUT_EVENT: {}}}

    async def send(claims: dict[str, Any], signed_with: RSAKey = key) -> int:
        token = jwt.encode({"alg": "RS256", "kid": "k"}, claims, signed_with)
        answer = await browser.client.post("/api/auth/sso/logout", data={"logout_token": token})
        return answer.status_code

    wrong = [good | {"nonce": "n"}, good | {"aud": "another"}, good | {"iss": "http://evil"}, good | {"events": {}}]
    wrong += [{name: value for name, value in good.items() if name != missing} for missing in ("events", "sub", "iat")]
    for claims in wrong:
        assert await send(claims) == 401, claims
    assert (await browser.me()).status_code == 200
    assert await send(good) == 204
    assert (await browser.me()).status_code == 401
    assert (await browser.client.post("/api/auth/refresh")).status_code == 401
    assert (await other.me()).status_code == 200
    assert await send(good, strange) == 401


async def test_passwords_are_for_emergencies_where_that_is_set(sso: Any) -> None:
    """Only `admin` has one that counts; nobody of the single sign-on ever does."""
    browser = await sso(oidc_only=True)
    await browser.log_in()
    await browser.gateway.as_admin("POST", "/api/users", {"name": "bob", "password": "four geese on a bicycle"})
    async with browser.gateway.http as client:
        for name, password in (
            ("bob", "four geese on a bicycle"),
            (f"ann-{browser.subject}", "nobody has this password"),
        ):
            answer = await client.post("/api/auth/login", json={"username": name, "password": password})
            assert answer.status_code == 403, name
        answer = await client.post("/api/auth/login", json={"username": "admin", "password": PASSWORD})
        assert answer.status_code == 200


async def test_an_account_without_a_password_takes_none() -> None:
    """Also not the one that names without an account are checked against."""
    passwords = Passwords(time_cost=1, memory_kib=64)

    assert not await passwords.check("nobody has this password", "")
    assert not await passwords.check("nobody has this password", None)


def test_a_log_in_leads_to_a_page_of_ours() -> None:
    """Never to another host, however a browser may read it."""
    for page in ("//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/\nx", "/\t/evil.example"):
        assert _local(page) == "/", page
    assert _local("/builds/7?tab=log#L5") == "/builds/7?tab=log#L5"


def test_what_is_sealed_needs_a_key_of_ours() -> None:
    """The first key seals, a former one still opens, another does not."""
    sealed = Sealing(SECRET).seal("token")

    assert "token" not in sealed
    assert Sealing(f"{secrets.token_hex(32)}\n{SECRET}").open(sealed) == "token"
    assert Sealing(secrets.token_hex(32)).open(sealed) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"oidc_issuer": "http://id.example"}, "GATEWAY_OIDC_ISSUER"),
        ({"oidc_client_id": ""}, "GATEWAY_OIDC_CLIENT_ID"),
        ({"dashboard_url": None}, "BUILD_DASHBOARD_URL"),
    ],
)
def test_a_half_configured_single_sign_on_starts_nothing(changes: dict[str, Any], named: str) -> None:
    """The sentence names what is missing."""
    whole = {"oidc_issuer": "https://id.example", "oidc_client_id": "d", "oidc_client_secret": "s"}
    fields: dict[str, Any] = {**whole, "dashboard_url": "https://b.example", "jwt_secret_key": SECRET, **changes}

    with pytest.raises(ValueError, match=named):
        Settings(**fields)
