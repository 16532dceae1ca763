"""Names the dashboard answers to: a page elsewhere cannot point its own name at it."""

from collections.abc import Awaitable, Callable

import pytest
from build_testkit.gateway import Gateway
from websockets.exceptions import InvalidStatus

StartGateway = Callable[..., Awaitable[Gateway]]
OWN = ("builds.example.com", "BUILDS.example.com:443", "builds.example.com.", "pages.example.org", "other.example.com")
NOBODYS = ("localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "192.0.2.7", "gateway:8080", "app.localhost")
FOREIGN = ("evil.example", "builds.example.com.evil.example", "evil.example:8080", "127.0.0.1.nip.io", "x@evil.example")


async def status(gateway: Gateway, host: str, path: str = "/api/auth/me") -> int:
    async with gateway.http as client:
        return (await client.get(path, headers={"Host": host})).status_code


async def upgrade_status(gateway: Gateway, host: str) -> int:
    try:
        async with gateway.viewer(origin=f"http://{host}", additional_headers={"Host": host}):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_a_foreign_name_is_refused(start_gateway: StartGateway) -> None:
    """REST, page and socket are 400 under it; own names, addresses and names without a dot are answered."""
    gateway = await start_gateway(
        dashboard_url="https://builds.example.com",
        allowed_hosts="other.example.com",
        allowed_origins="https://pages.example.org",
    )

    for host in (*OWN, *NOBODYS):
        assert (await status(gateway, host), await status(gateway, host, "/builds/7")) == (401, 503), host
    for host in FOREIGN:
        assert (await status(gateway, host), await status(gateway, host, "/builds/7")) == (400, 400), host
    assert await status(gateway, "evil.example", "/healthz") == 200


@pytest.mark.parametrize(("bound_to", "expected"), [("127.0.0.1", 400), ("::1", 400), ("0.0.0.0", 401)])
async def test_without_a_name_of_its_own_where_it_listens_decides(
    start_gateway: StartGateway, bound_to: str, expected: int
) -> None:
    """For its own machine only: any foreign name is refused. For others: they may call it anything."""
    assert await status(await start_gateway(host=bound_to), "evil.example") == expected


async def test_what_operators_watch_is_not_at_the_front(gateway: Gateway) -> None:
    """Metrics, and paths where other programs have such things, are 404 for everybody."""
    for path in ("/metrics", "/drain", "/debug", "/docs", "/redoc", "/openapi.json"):
        assert await status(gateway, "localhost", path) == 404
        assert (await gateway.as_admin("POST", path)).status_code == 405
