"""Log archives through the real services: ingest brings them, artifacts keeps them, readers notice nothing."""

import asyncio
import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import build_artifacts.app
import build_artifacts.settings
import build_ingest.app
import build_ingest.settings
import httpx
import pytest
import zstandard
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Outgoing, open_bus
from build_chassis.service_client import MountedServiceClient
from build_ingest.lifecycle.retention import Retention
from build_protocol.clock import DAY_MS, now_ms
from build_protocol.ids import new_build_id
from build_protocol.messages import BuildComplete, BuildLog, BuildStart
from build_protocol.topology import routing_key
from build_testkit.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY
from build_testkit.signing import SECRET
from build_testkit.stack import embedded_stack, wait_until

pytestmark = pytest.mark.slow

LINES = [f"[{n}/9000] Building CXX object größer/{n * 7919:x}.o" for n in range(9000)]
TEXT = "".join(f"{line}\n" for line in LINES)


class System:
    """ingest and artifacts, as they are mounted in one process."""

    def __init__(self, apps: dict[str, Any], bus: Any) -> None:
        self.apps = apps
        self.bus = bus
        self.build_id = new_build_id(now_ms())

    async def get(self, service: str, path: str, **headers: str) -> httpx.Response:
        token = mint_internal(Principal("ann", "viewer", None), service, SECRET)
        transport = httpx.ASGITransport(self.apps[service])
        async with httpx.AsyncClient(transport=transport, base_url="http://system") as client:
            return await client.get(path, headers={"Authorization": f"Bearer {token}", **headers})

    async def build(self) -> None:
        """Publish a whole build, as its agent reports it."""
        raw = "\n".join(LINES).encode()
        totals = {"lines": len(LINES), "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        records: list[tuple[type[BuildStart | BuildLog | BuildComplete], dict[str, Any]]] = [(BuildStart, {})]
        records += [
            (BuildLog, {"firstLine": at + 1, "lines": LINES[at : at + 100]}) for at in range(0, len(LINES), 100)
        ]
        records.append((BuildComplete, {"status": "succeeded", "totals": totals}))
        for seq, (kind, data) in enumerate(records, 1):
            facts = {"buildId": self.build_id, "project": "p", "seq": seq, "timestamp": 1, "data": data}
            record = kind.model_validate(facts)
            key = routing_key(record.type, self.build_id, "p")
            await self.bus.publish([Outgoing(key, record.to_json().encode(), {"agent": "a"})])

    async def archived(self) -> dict[str, Any] | None:
        """The archive among the build's artifacts, once it is verified."""
        listed = (await self.get("artifacts", f"/api/builds/{self.build_id}/artifacts")).json()["items"]
        return next((item for item in listed if item["state"] == "verified"), None)


async def eventually(ask: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    limit = time.monotonic() + seconds
    while not (answer := await ask()):
        await asyncio.sleep(0.05)
        assert time.monotonic() < limit, f"not within {seconds} s"
    return answer


@pytest.fixture(params=["directory", *(pytest.param(name, marks=pytest.mark.s3) for name in ("direct", "gateway"))])
async def system(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[System]:
    """Both places for bytes, and both ways to S3; outside it has a name that ingest cannot resolve."""
    keeping: dict[str, Any] = {"s3_bucket": ""}
    if request.param != "directory":
        keeping = {
            "s3_transfer": request.param,
            "s3_endpoint": request.getfixturevalue("seaweedfs").endpoint,
            "s3_public_endpoint": "https://artifacts.invalid",
            "s3_bucket": BUCKET,
            "s3_prefix": f"{tmp_path.name}/",
            "aws_access_key": ACCESS_KEY,
            "aws_secret_key": SECRET_KEY,
        }
    bus = open_bus(f"sqlite:///{tmp_path}/bus.sqlite")
    artifacts = build_artifacts.app.create_app(
        build_artifacts.settings.Settings(
            _env_file=None,
            store_url=f"sqlite:///{tmp_path}/artifacts.sqlite",
            directory=str(tmp_path / "objects"),
            jwt_secret_key=SECRET,
            **keeping,
        ),
        bus,
    )
    writer = build_ingest.app.create_app(
        build_ingest.settings.Settings(store_url=f"sqlite:///{tmp_path}/ingest.sqlite", jwt_secret_key=SECRET),
        bus,
        peers={"artifacts": MountedServiceClient("artifacts", artifacts, SECRET)},
    )
    async with AsyncExitStack() as stack:
        await bus.open()
        stack.push_async_callback(bus.close)
        for app in (artifacts, writer):
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield System({"artifacts": artifacts, "ingest": writer}, bus)


async def test_a_log_is_archived_and_then_read_from_there(system: System) -> None:
    """It is among the build's artifacts; when it is no longer hot, every way to read it answers as before."""
    await system.build()
    archive = await eventually(system.archived)
    logs = f"/api/builds/{system.build_id}/logs"
    paths = (f"{logs}?format=text", f"{logs}?first=8000&count=20", f"{logs}?q=/{8888 * 7919:x}.o")
    hot = [(await system.get("ingest", path)).content for path in paths]

    replica = system.apps["ingest"].state.dependencies.replica
    later = Retention(
        system.apps["ingest"].state.dependencies.store,
        replica.consumer,
        replica.artifacts_client,
        keep_days=0,
        hot_days=1,
    )
    await later.cool_old(now_ms() + 2 * DAY_MS)

    chunks = await system.apps["ingest"].state.dependencies.store.read_chunks(system.build_id, "seq", 1, 1000)
    assert archive["name"] == "build.log.zst"
    assert {chunk.is_cold for chunk in chunks if chunk.has_text} == {True}
    assert [(await system.get("ingest", path)).content for path in paths] == hot
    assert hot[0].decode() == TEXT
    part = await system.get("ingest", paths[0], Range="bytes=100000-299999")
    assert (part.status_code, part.content) == (206, TEXT.encode()[100_000:300_000])


@pytest.mark.slow
def test_a_killed_system_archives_what_it_had_not(tmp_path) -> None:
    """kill -9 right behind a build: after the start its whole log is among its artifacts, for any zstd."""
    program = tmp_path / "build.py"
    program.write_text(f"print({TEXT!r}, end='')")
    with embedded_stack(tmp_path) as stack:
        process = stack.processes["embedded"]
        command = stack.agent_command("p", sys.executable, str(program))
        subprocess.run(command, env=stack.agent_environment, check=True, capture_output=True, timeout=60)
        process.restart(signal.SIGKILL)
        (build,) = stack.get("/api/builds")["items"]

        def archived() -> dict[str, Any] | None:
            items = stack.get(f"/api/builds/{build['id']}/artifacts")["items"]
            return next((item for item in items if item["state"] == "verified"), None)

        archive = wait_until(archived, 60, "the log is archived", every=0.1)
        packed = stack.get_bytes(f"/api/artifacts/{archive['id']}/download")
        text = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read()

    assert archive["name"] == "build.log.zst"
    assert text.decode() == TEXT
