"""Gateways on one bus and one store."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from build_chassis.bus import Bus
from build_chassis.bus.embedded import EmbeddedBus
from build_gateway.accounts.passwords import Passwords
from build_gateway.app import create_app
from build_gateway.settings import Settings
from build_testkit.gateway import KEY, PASSWORD, Gateway, HistoryClient, IngestClient, serving
from build_testkit.signing import SECRET

StartGateway = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def start_gateway(tmp_path: Path) -> AsyncIterator[StartGateway]:
    """Starts gateways on one bus and one store."""
    bus = EmbeddedBus(tmp_path / "bus.sqlite")
    ingest, history = IngestClient(), HistoryClient()
    async with AsyncExitStack() as stack:
        await bus.open()
        stack.push_async_callback(bus.close)

        async def start(bus: Bus = bus, **changes: Any) -> Gateway:
            settings = Settings(
                store_url=f"sqlite:///{tmp_path}/gateway.sqlite",
                jwt_secret_key=SECRET,
                config_path=str(tmp_path / "config.yaml"),
                **{"admin_password": PASSWORD, "api_key": KEY, **changes},
            )
            app = create_app(
                settings,
                bus,
                peers=cast("Any", {"ingest": ingest, "history": history}),
                passwords=Passwords(time_cost=1, memory_kib=64),
                page_folder=tmp_path / "page",
            )
            url = await stack.enter_async_context(serving(app, settings))
            return Gateway(app, bus, ingest, url, history)

        yield start


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> Gateway:
    """One gateway."""
    return await start_gateway()
