"""A service whose work has failed is not left looking healthy."""

import asyncio
import subprocess
import sys

import pytest
from build_chassis.errors import Unusable
from build_chassis.vital import vital

SERVER = """
import asyncio
from contextlib import asynccontextmanager
from build_chassis.bus import EmbeddedBus
from build_chassis.service import create_service_app, serve
from build_chassis.settings import ServiceSettings
from build_testkit.signing import SECRET
from build_testkit.stack import free_port
from build_chassis.parts import ServiceParts
from build_protocol.clock import now_ms
from build_chassis.vital import vital
from prometheus_client import CollectorRegistry
from pathlib import Path
import sys

async def work():
    await asyncio.sleep(0)
    raise RuntimeError("nobody foresaw this")

@asynccontextmanager
async def lifespan(app):
    vital(asyncio.create_task(work(), name="work"))
    yield
    print("stopped in order", flush=True)

settings = ServiceSettings(service="test", port=free_port(), jwt_secret_key=SECRET)
bus = EmbeddedBus(Path(sys.argv[1]) / "bus.sqlite")
class Store:
    async def ping(self):
        return None

parts = ServiceParts(settings, now_ms, CollectorRegistry(), Store())
app = create_service_app("test", parts, bus, lifespan=lifespan, routers=[])
serve(app, settings)
"""


@pytest.mark.slow
def test_a_server_whose_work_fails_stops_in_order(tmp_path: object) -> None:
    """It says why, and ends, so that its supervisor starts it again."""
    ended = subprocess.run(
        [sys.executable, "-c", SERVER, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode != 0
    assert "nobody foresaw this" in ended.stderr
    assert "stopped in order" in ended.stdout


async def test_a_task_that_may_end_is_only_watched_for_its_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Its end is none; what can never be used is one sentence for whoever runs the server, without a traceback."""

    async def find(what: str) -> None:
        if what:
            raise Unusable(what)

    for what in ("", "store.sqlite is not a SQLite database"):
        await asyncio.wait([vital(asyncio.create_task(find(what)), may_end=True)])
        await asyncio.sleep(0)

    (record,) = caplog.records
    assert (record.getMessage(), record.exc_info) == ("stop: store.sqlite is not a SQLite database", None)


async def test_a_task_that_is_cancelled_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """A stop in order says nothing."""
    task = vital(asyncio.create_task(asyncio.Event().wait()))
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)

    assert [] == caplog.records
