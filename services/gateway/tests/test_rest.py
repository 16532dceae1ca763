"""REST for people: logging in, users, keys, projects, forwarding, and what every answer carries."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from build_gateway.accounts.passwords import PARALLEL, WAITING
from build_gateway.accounts.tokens import AUDIENCE, ISSUER
from build_gateway.settings import Settings
from build_testkit.gateway import BUILD, KEY, PASSWORD, Gateway
from build_testkit.served import send_raw
from build_testkit.signing import SECRET
from jose import jwt
from prometheus_client import generate_latest

GEESE = "four geese on a bicycle"
OWN_ROUTES = [
    ("GET", "/api/users"),
    ("POST", "/api/users"),
    ("PATCH", "/api/users/admin"),
    ("DELETE", "/api/users/admin"),
    ("PUT", "/api/users/me/password"),
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("DELETE", "/api/keys/x"),
    ("POST", "/api/keys/x/confirm"),
    ("POST", "/api/users/x/confirm"),
    ("GET", "/api/agents"),
    ("GET", "/api/commands"),
    ("POST", "/api/commands"),
    ("GET", "/api/commands/x"),
    ("GET", "/api/parking"),
    ("GET", "/api/parking/x"),
    ("POST", "/api/parking/x/replay"),
    ("DELETE", "/api/parking/x"),
    ("GET", "/api/projects"),
    ("GET", "/api/auth/me"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/builds"),
    ("GET", "/api/artifacts/x"),
]
ADMIN_ROUTES = [
    route
    for route in OWN_ROUTES
    if route[1].startswith(("/api/users", "/api/keys", "/api/parking")) and "me" not in route[1]
]


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "admin",
        "ver": 1,
        "sid": "s",
        "jti": "1",
        "iat": now,
        "exp": now + 60,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


FORGED_TOKENS = [
    "x",
    "a.b.c",
    "x" * 10_000,
    "e30." * 2 + "e30",
    jwt.encode(claims(), "x" * 32, algorithm="HS256"),
    jwt.encode(claims(), SECRET, algorithm="HS512"),
    jwt.encode(claims(exp=int(time.time()) - 1), SECRET),
    *(jwt.encode(claims(**{name: None}), SECRET) for name in ("exp", "aud", "iss", "sub", "jti", "ver", "sid")),
    jwt.encode(claims(aud="ingest"), SECRET),
    jwt.encode(claims(iss="build-dashboard-gateway"), SECRET),
    jwt.encode(claims(sub="nobody"), SECRET),
    jwt.encode(claims(ver=2), SECRET),
    jwt.encode(claims(), SECRET, headers={"kid": "../../etc/passwd", "jku": "https://evil.example"})[:-2] + "xx",
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + jwt.encode(claims(), SECRET).split(".")[1] + ".",
]


async def ask(gateway: Gateway, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with gateway.http as client:
        return await client.request(method, path, headers=headers, **options)


async def add_user(gateway: Gateway, name: str, **fields: Any) -> str:
    answer = await gateway.as_admin("POST", "/api/users", {"name": name, "password": GEESE, **fields})
    answer.raise_for_status()
    return await gateway.login(name, GEESE)


async def test_a_person_logs_in_and_is_who_they_are(gateway: Gateway) -> None:
    """The token is valid for the time it names; a self-made one with the right secret is, too."""
    answer = await ask(gateway, "POST", "/api/auth/login", json={"username": "admin", "password": PASSWORD})
    body = answer.json()

    assert body["expiresIn"] == 600
    assert (await ask(gateway, "GET", "/api/auth/me", body["accessToken"])).json()["role"] == "admin"
    own = jwt.encode(claims(), SECRET, algorithm="HS256")
    assert (await ask(gateway, "GET", "/api/auth/me", own)).status_code == 200


async def test_a_token_that_is_not_ours_is_refused(gateway: Gateway) -> None:
    """alg none, another algorithm, another secret, expired, any required claim missing or foreign: 401 each."""
    for token in FORGED_TOKENS:
        for path in ("/api/auth/me", "/api/builds"):
            assert (await ask(gateway, "GET", path, token)).status_code == 401, token


async def test_every_route_needs_a_person(gateway: Gateway) -> None:
    """Without a token, and with an agent's key, every route of the gateway's own is 401; a key may only read."""
    agent_only = (await gateway.as_admin("POST", "/api/keys", {"name": "ci"})).json()["value"]
    for method, path in OWN_ROUTES:
        assert (await ask(gateway, method, path, json={})).status_code == 401, path
    for method, path in OWN_ROUTES:
        if not path.startswith(("/api/builds", "/api/artifacts")):
            assert (await ask(gateway, method, path, KEY, json={})).status_code == 401, path
    assert (await ask(gateway, "GET", "/api/builds", agent_only)).status_code == 401
    assert (await ask(gateway, "GET", "/api/builds", KEY)).status_code == 200
    await gateway.app.state.dependencies.keys.ensure_key("a.key.that-looks-like-a-token", "dotted")
    assert (await ask(gateway, "GET", "/api/builds", "a.key.that-looks-like-a-token")).status_code == 200
    assert (await ask(gateway, "POST", "/api/builds", KEY)).status_code == 401
    assert (await ask(gateway, "POST", f"/api/builds/{BUILD}/artifacts", agent_only)).status_code == 503


async def test_roles_are_kept(gateway: Gateway) -> None:
    """A viewer and a developer reach no admin route; a viewer orders nothing."""
    viewer, developer = await add_user(gateway, "vic"), await add_user(gateway, "dev", role="developer")
    for method, path in ADMIN_ROUTES:
        for token in (viewer, developer):
            assert (await ask(gateway, method, path, token, json={})).status_code == 403, path
    order = {"kind": "trigger", "project": "torch-mlir"}
    assert (await ask(gateway, "POST", "/api/commands", viewer, json=order)).status_code == 403
    assert (await ask(gateway, "POST", "/api/commands", developer, json=order)).status_code == 409
    assert (await ask(gateway, "POST", "/api/commands", developer, json={"kind": "drain"})).status_code == 403


async def test_a_login_that_is_none_is_invalid(gateway: Gateway) -> None:
    """422 with the field's name, before any password is hashed."""
    bodies: list[Any] = [
        {"username": "admin", "password": {"$ne": None}},
        {"username": ["admin"], "password": PASSWORD},
        {"username": "admin", "password": "x" * 10_000},
        {"username": "admin"},
        [],
    ]
    for body in bodies:
        assert (await ask(gateway, "POST", "/api/auth/login", json=body)).status_code == 422


async def test_a_large_body_is_refused(gateway: Gateway) -> None:
    """413 with a length and without one, on own routes, forwarded ones and the page; nothing else is disturbed."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield b"x" * 4096

    for path in ("/api/auth/login", "/api/builds", "/api/teapots", "/builds/7"):
        assert (await ask(gateway, "POST", path, content=b"x" * 1_000_000)).status_code == 413, path
    for path in ("/api/auth/login", "/api/users", "/api/keys"):
        assert (await ask(gateway, "POST", path, content=pieces())).status_code == 413, path
    assert await gateway.login()


async def test_a_page_served_elsewhere_may_ask_when_configured(
    start_gateway: Callable[..., Awaitable[Gateway]],
) -> None:
    """Its preflight is answered; another origin's is not."""
    gateway = await start_gateway(allowed_origins="https://pages.example")
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with gateway.http as client:
        for origin, status in (("https://pages.example", 200), ("https://evil.example", 400)):
            answer = await client.options("/api/builds", headers={**headers, "Origin": origin})
            assert answer.status_code == status


async def test_guesses_in_parallel_count_as_many_and_keep_nobody_else_out(gateway: Gateway) -> None:
    """Of forty at once a handful is checked and the others learn when to come back; elsewhere the right one is right.

    Known and unknown names get the same answers.
    """
    for name in ("admin", "nobody"):
        guess = {"username": name, "password": "wrong"}
        answers = await asyncio.gather(*(ask(gateway, "POST", "/api/auth/login", json=guess) for _ in range(40)))
        # A slow machine takes a second for it, after which one more is due.
        assert sum(answer.status_code == 401 for answer in answers) in (5, 6)
        assert {answer.status_code for answer in answers} == {401, 429}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 429)

    right = {"username": "admin", "password": PASSWORD}
    elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx.AsyncClient(base_url=gateway.url, transport=elsewhere) as client:
        assert (await client.post("/api/auth/login", json=right)).status_code == 200


async def test_the_old_password_is_no_free_guess(gateway: Gateway) -> None:
    """Whoever has a token and not the password gets as many tries at it as at log-in, also in parallel."""
    token = await add_user(gateway, "ann")
    guess = {"oldPassword": "wrong", "password": "nine other geese"}
    answers = await asyncio.gather(
        *(ask(gateway, "PUT", "/api/users/me/password", token, json=guess) for _ in range(30))
    )

    assert sum(answer.status_code == 403 for answer in answers) in (5, 6)
    assert {answer.status_code for answer in answers} == {403, 429}


async def test_busy_hashing_answers_503_on_every_route_that_hashes(gateway: Gateway) -> None:
    """With Retry-After: log-in, a new person, another's and the own password; afterwards each of them works."""
    await add_user(gateway, "ann")
    own = {"oldPassword": PASSWORD, "password": "nine other geese"}
    hashing: list[tuple[str, str, dict[str, str]]] = [
        ("POST", "/api/auth/login", {"username": "ann", "password": GEESE}),
        ("POST", "/api/users", {"name": "bob", "password": GEESE}),
        ("PATCH", "/api/users/ann", {"password": "five geese on a train"}),
        ("PUT", "/api/users/me/password", own),
    ]
    passwords = gateway.app.state.dependencies.passwords
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(passwords.slot()) for _ in range(PARALLEL)))
        waiting = [asyncio.create_task(passwords.hash("x")) for _ in range(WAITING - PARALLEL)]
        await asyncio.sleep(0)
        for method, path, body in hashing:
            answer = await gateway.as_admin(method, path, body)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), path
    await asyncio.gather(*waiting)
    for method, path, body in hashing:
        assert (await gateway.as_admin(method, path, body)).is_success, path


async def test_each_refresh_gives_a_new_cookie(gateway: Gateway) -> None:
    """A page left before its answer came shows the old one at once and stays signed in; logout ends all of them."""
    async with gateway.http as client:
        await client.post("/api/auth/login", json={"username": "admin", "password": PASSWORD})
        first = client.cookies["refresh"]
        assert (await client.post("/api/auth/refresh")).status_code == 200
        second = client.cookies["refresh"]
        assert first != second

        client.cookies.clear()
        assert (await client.post("/api/auth/refresh", headers={"Cookie": f"refresh={first}"})).status_code == 200
        third = client.cookies["refresh"]
        assert third == second
        assert (await client.post("/api/auth/logout")).status_code == 204
        client.cookies.clear()
        for cookie in (first, second, third):
            assert (await client.post("/api/auth/refresh", headers={"Cookie": f"refresh={cookie}"})).status_code == 401


async def test_the_refresh_cookie_is_out_of_reach(gateway: Gateway) -> None:
    """HttpOnly, SameSite=Strict; a page elsewhere gets 403; it is no access token."""
    async with gateway.http as client:
        answer = await client.post("/api/auth/login", json={"username": "admin", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        for origin in ("https://evil.example", "null"):
            assert (await client.post("/api/auth/refresh", headers={"Origin": origin})).status_code == 403
        assert (await client.post("/api/auth/refresh", headers={"Origin": gateway.url})).status_code == 200
        assert (await ask(gateway, "GET", "/api/auth/me", client.cookies["refresh"])).status_code == 401


async def test_a_change_of_role_or_password_ends_earlier_tokens(gateway: Gateway) -> None:
    """Access and refresh tokens issued before the change are no longer valid; a new login has the new rights."""
    await add_user(gateway, "ann", projects=["torch-mlir"])
    async with gateway.http as client:
        answer = await client.post("/api/auth/login", json={"username": "ann", "password": GEESE})
        token = answer.json()["accessToken"]
        changed = await gateway.as_admin("PATCH", "/api/users/ann", {"role": "developer", "projects": None})
        assert (changed.json()["role"], changed.json()["projects"]) == ("developer", None)
        assert (await ask(gateway, "GET", "/api/auth/me", token)).status_code == 401
        assert (await client.post("/api/auth/refresh")).status_code == 401

    token = await gateway.login("ann", GEESE)
    own = {"oldPassword": GEESE, "password": "nine other geese"}
    assert (await ask(gateway, "PUT", "/api/users/me/password", token, json=own)).status_code == 204
    assert (await ask(gateway, "GET", "/api/auth/me", token)).status_code == 401
    assert await gateway.login("ann", "nine other geese")


async def test_users_are_listed_without_secrets_and_take_no_surprises(gateway: Gateway) -> None:
    """No hash leaves the service; unknown fields are refused; names are unique; nobody locks out themselves."""
    await add_user(gateway, "ann")
    listed = await gateway.as_admin("GET", "/api/users")
    assert ["admin", "ann"] == [user["name"] for user in listed.json()["items"]]
    assert "argon2" not in listed.text
    assert (await gateway.as_admin("PATCH", "/api/users/ann", {"passwordHash": "x"})).status_code == 422
    assert (await gateway.as_admin("PATCH", "/api/users/ann", {"role": "root"})).status_code == 422
    assert (await gateway.as_admin("POST", "/api/users", {"name": "ann", "password": GEESE})).status_code == 409
    assert (await gateway.as_admin("POST", "/api/users", {"name": "a\r\nb", "password": GEESE})).status_code == 422
    assert (await gateway.as_admin("DELETE", "/api/users/admin")).status_code == 409
    assert (await gateway.as_admin("DELETE", "/api/users/nobody")).status_code == 404


async def test_a_key_is_shown_once(gateway: Gateway) -> None:
    """The value is in the answer to its creation and nowhere else, not even in the store's file."""
    made = (await gateway.as_admin("POST", "/api/keys", {"name": "ci", "projects": ["torch-mlir"]})).json()
    assert made["value"].startswith(f"bmk_{made['id']}_")

    listed = await gateway.as_admin("GET", "/api/keys")
    assert made["value"] not in listed.text
    assert {"ci", "default"} == {key["name"] for key in listed.json()["items"]}
    path = Path(gateway.app.state.dependencies.settings.store_url.removeprefix("sqlite:///"))
    stored = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert made["id"].encode() in stored
    for secret in (made["value"], KEY, PASSWORD):
        assert secret.encode() not in stored


async def test_requests_are_forwarded_to_their_owner_as_who_asked(gateway: Gateway) -> None:
    """The owner receives path and person; a missing service is 503 by name; an unknown route 404."""
    token = await add_user(gateway, "ann", projects=["torch-mlir"])
    answer = await ask(gateway, "GET", f"/api/builds/{BUILD}/logs?first=1", token)
    assert answer.json() == {"path": f"/api/builds/{BUILD}/logs", "for": "ann"}
    ((_, principal),) = gateway.ingest.forwarded
    assert principal.projects == frozenset({"torch-mlir"})

    for path in ("failures", "incidents", "commits/abc", "tests", "pins", "history/trend"):
        assert (await ask(gateway, "GET", f"/api/{path}", token)).json() == {"path": f"/api/{path}", "for": "ann"}
    for path, service in {
        f"/api/builds/{BUILD}/artifacts": "artifacts",
        "/api/artifacts/7": "artifacts",
        "/api/notifications": "notifier",
    }.items():
        answer = await ask(gateway, "GET", path, token)
        assert (503, "application/problem+json") == (answer.status_code, answer.headers["content-type"]), path
        assert service in answer.json()["detail"]
    for path in ("/api/teapots", "/api/", "/api/../internal/stored", "/api/internal/stored"):
        assert (await ask(gateway, "GET", path, token)).status_code == 404, path


async def test_one_openapi_document_describes_all(gateway: Gateway) -> None:
    """Own and forwarded routes are there, internal ones are not."""
    paths = (await gateway.as_admin("GET", "/api/openapi.json")).json()["paths"]

    assert {"/api/builds", "/api/auth/login", "/api/commands", "/api/keys"} <= paths.keys()
    assert all(path.startswith("/api/") for path in paths)


async def test_projects_follow_the_file(gateway: Gateway) -> None:
    """config.yaml is read again when it changes; a broken one is shown to admins and changes nothing."""
    path = Path(gateway.app.state.dependencies.settings.config_path)
    assert (await gateway.as_admin("GET", "/api/projects")).json()["items"] == []

    path.write_text("projects:\n  torch-mlir:\n    repo_url: https://example.org/t\n  llvm-mlir:\n")  # noqa: ASYNC240  a test's own file
    listed = (await gateway.as_admin("GET", "/api/projects")).json()
    assert ["llvm-mlir", "torch-mlir"] == [project["name"] for project in listed["items"]]
    only_torch = await add_user(gateway, "ann", projects=["torch-mlir"])
    listed = (await ask(gateway, "GET", "/api/projects", only_torch)).json()
    assert ["torch-mlir"] == [project["name"] for project in listed["items"]]

    path.write_text("projects: [nonsense")  # noqa: ASYNC240  as above
    listed = (await gateway.as_admin("GET", "/api/projects")).json()
    assert 2 == len(listed["items"])
    assert "config.yaml" in listed["fault"]


async def test_every_answer_carries_the_security_headers(gateway: Gateway) -> None:
    """Scripts only from here, no frames, no sniffing; no answer shows a trace."""
    for path in ("/", "/builds/7", "/api/builds", "/api/teapots", "/ws", "/docs", "/healthz"):
        answer = await ask(gateway, "GET", path)

        policy = answer.headers["content-security-policy"]
        for rule in ("script-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "referrer-policy" in answer.headers
        assert "Traceback" not in answer.text


async def test_the_page_is_served_for_its_own_paths(gateway: Gateway, tmp_path: Path) -> None:
    """Not built: a sentence explains how. Built: files as they are, the page for the rest, nothing from outside."""
    answer = await ask(gateway, "GET", "/")
    assert answer.status_code == 503
    assert "npm run build" in answer.text

    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<title>Builds</title>")
    (page / "assets" / "index-abc.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")

    assert (await ask(gateway, "GET", "/builds/7")).text == "<title>Builds</title>"
    assert (await ask(gateway, "GET", "/")).headers["cache-control"] == "no-cache"
    script = await ask(gateway, "GET", "/assets/index-abc.js")
    assert ("1", "gzip") == (script.text, script.headers["content-encoding"])
    assert "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]
    (page / "assets" / "index-abc.js.br").write_bytes(b"packed")
    for taken, answered in (("gzip, br", "br"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None), ("", None)):
        async with (
            gateway.http as client,
            client.stream("GET", "/assets/index-abc.js", headers={"Accept-Encoding": taken}) as answer,
        ):
            body = b"".join([piece async for piece in answer.aiter_raw()])
        assert (answer.status_code, answer.headers.get("content-encoding")) == (200, answered), taken
        assert "javascript" in answer.headers["content-type"]
        assert (body == b"packed") == (answered == "br")
    assert (await ask(gateway, "GET", "/assets/gone.js")).status_code == 404
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/..%2f..%2fsecret.txt", "//x"):
        assert (await send_raw(gateway.url, path))[0] == 400, path
    for path in (f"/{'x' * 300}", f"/builds/{'x' * 5000}"):
        assert (await ask(gateway, "GET", path)).text == "<title>Builds</title>"


async def test_health_tells_what_is_missing(gateway: Gateway) -> None:
    """Ready with bus and store; the metrics count what happened."""
    assert (await ask(gateway, "GET", "/readyz")).json()["missing"] == []
    await gateway.login()
    assert (
        'gateway_logins_total{outcome="accepted"} 1.0'
        in generate_latest(gateway.app.state.dependencies.registry).decode()
    )


async def test_many_logins_at_once_leave_the_gateway_answering(gateway: Gateway) -> None:
    """Passwords are hashed two at a time; a health check in between is answered at once."""
    body = json.dumps({"username": "admin", "password": PASSWORD})
    async with gateway.http as client:
        logins = [
            asyncio.create_task(
                client.post("/api/auth/login", content=body, headers={"content-type": "application/json"})
            )
            for _ in range(40)
        ]
        async with asyncio.timeout(2):
            assert (await client.get("/healthz")).status_code == 200
        assert {200} == {(await login).status_code for login in logins}


@pytest.mark.parametrize(
    ("url", "proxies", "trusted"),
    [
        ("https://builds.example.com", "", "127.0.0.1,::1"),
        ("https://builds.example.com", "10.0.0.0/24, 10.1.0.7", "10.0.0.0/24, 10.1.0.7"),
        ("https://builds.example.com", "*", "*"),
        ("http://builds.example.com", "", ""),
        ("", "", ""),
    ],
)
def test_a_public_tls_address_means_a_front_on_this_machine(url: str, proxies: str, trusted: str) -> None:
    """Unless another proxy is named; without TLS none is trusted."""
    settings = Settings(_env_file=None, jwt_secret_key=SECRET, dashboard_url=url, trusted_proxies=proxies)

    assert settings.trusted_proxies == trusted
    assert settings.is_secure is url.startswith("https")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trusted_proxies", "front"),
        ("trusted_proxies", "10.0.0.7/24"),
        ("trusted_proxies", "10.0.0.7,,::1"),
        ("dashboard_url", "builds.example.com"),
        ("dashboard_url", "ftp://builds.example.com"),
    ],
)
def test_a_proxy_or_public_address_that_is_none_is_refused(name: str, value: str) -> None:
    """By the variable's name, instead of never matching anything."""
    variable = {"trusted_proxies": "TRUSTED_PROXIES", "dashboard_url": "BUILD_DASHBOARD_URL"}[name]
    with pytest.raises(ValueError, match=variable):
        Settings(_env_file=None, jwt_secret_key=SECRET, **cast("Any", {name: value}))


async def test_a_page_of_the_public_address_may_refresh_behind_any_host_header(
    start_gateway: Callable[..., Awaitable[Gateway]],
) -> None:
    """Some proxies send their own name as Host; the page's socket opens, too."""
    gateway = await start_gateway(dashboard_url="https://Builds.example.com:443/")
    async with gateway.http as client:
        answer = await client.post("/api/auth/login", json={"username": "admin", "password": PASSWORD})
        headers = {"Cookie": answer.headers["set-cookie"].split(";")[0], "Origin": "https://builds.example.com"}
        assert (await client.post("/api/auth/refresh", headers=headers)).status_code == 200
    async with gateway.viewer(origin="https://builds.example.com"):
        pass
