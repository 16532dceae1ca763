"""Requests that carry a signature instead of a login reach the service that checks it; nothing beside them does."""

import pytest
from build_testkit.gateway import Gateway

WEBHOOK = "/api/notifications/webhooks/sendgrid"


async def test_signed_events_pass_without_a_login(gateway: Gateway) -> None:
    """The gateway forwards them: here no notifier runs, and that is its answer."""
    async with gateway.http as client:
        answer = await client.post(WEBHOOK, content=b"[]")

    assert answer.status_code == 503
    assert "notifier" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", WEBHOOK), ("POST", f"{WEBHOOK}/x"), ("POST", "/api/notifications/mutes"), ("GET", "/api/notifications")],
)
async def test_everything_beside_them_needs_a_login(gateway: Gateway, method: str, path: str) -> None:
    """Another method, a longer path, the same service's other routes: 401."""
    async with gateway.http as client:
        answer = await client.request(method, path)

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "x/mute", 503),
        ("POST", "x/mute", 503),
        ("PUT", "x/mute", 401),
        ("POST", "x", 401),
        ("GET", "x/y/z", 401),
    ],
)
async def test_links_of_mails_pass_without_a_login(gateway: Gateway, method: str, path: str, status: int) -> None:
    """What notifier signed goes to notifier, by GET and POST only; nothing beside it does."""
    async with gateway.http as client:
        answer = await client.request(method, f"/api/notifications/act/{path}")

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "x", 503), ("GET", "x", 503), ("POST", "x", 401), ("PUT", "x/y", 401), ("GET", "", 404)],
)
async def test_tickets_of_the_artifacts_directory_pass_without_a_login(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    """One path element that is uploaded or downloaded is forwarded; nothing else below it is."""
    async with gateway.http as client:
        answer = await client.request(method, f"/api/artifacts/objects/{path}")

    assert answer.status_code == status
