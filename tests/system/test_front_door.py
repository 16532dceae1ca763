"""Whole systems: no path climbs to what services say only to services."""

import asyncio
import itertools
import json
import urllib.request

from chassis.testing.served import send_raw
from chassis.testing.stack import Stack

BUILD = "01890000-0000-7000-8000-000000000001"


def test_a_key_of_one_project_learns_nothing_of_another(stack: Stack) -> None:
    """By no way up does a key that may read reach what ingest tells the gateway, nor a service's own pages."""
    token = stack.token()
    made = urllib.request.Request(
        f"{stack.url}/api/keys",
        json.dumps({"name": "reads-one", "scopes": ["read"], "projects": ["mine"]}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(made, timeout=30) as answer:
        key = json.loads(answer.read())["value"]

    for bearer, up, page in itertools.product(
        (key, token),
        ("..", "%2e%2e", ".%2e", "%252e%252e", "..;", "%c0%ae%c0%ae"),
        (f"internal/stored?build={BUILD}", "internal/openapi.json", "metrics", "readyz", "healthz"),
    ):
        target = f"/api/builds/{up}/{up}/{page}"
        status, text = asyncio.run(send_raw(stack.url, target, headers=[f"Authorization: Bearer {bearer}"]))
        assert (status, json.loads(text)["title"]) == (400, "Bad Request"), target
