"""What artifacts' tests share: offers of real bytes, a running service, and a store on every driver."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from build_artifacts.app import create_app
from build_artifacts.artifact import Artifact, Offer
from build_artifacts.kept_builds import unjudged
from build_artifacts.settings import Settings
from build_artifacts.store import open_store
from build_chassis.auth import Principal, mint_internal
from build_chassis.bus import Bus, Outgoing, open_bus
from build_chassis.service_client import ServiceUnavailable
from build_protocol.ids import new_build_id
from build_protocol.messages import ArtifactUploaded, ArtifactUploadedData, BuildVerdict, BuildVerdictData
from build_protocol.topology import routing_key
from build_testkit.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY
from build_testkit.signing import SECRET
from build_testkit.stores import store_fixture

NOON_AT = 1_700_000_000_000
DAY_MS = 86_400_000
AGENT = Principal("ci-1", "developer", frozenset({"p"}), kind="key")
ANN = Principal("ann", "viewer", None)


def build_id(n: int) -> str:
    """The id of build n: always the same."""
    return new_build_id(NOON_AT + n, bytes(10))


def offer_of(content: bytes, *, n: int = 1, part: int | None = None, **fields: Any) -> Offer:
    """The offer an agent makes of these bytes for build n."""
    pieces = [content[at : at + part] for at in range(0, len(content), part)] if part else []
    facts = {
        "build_id": build_id(n),
        "project": "p",
        "name": "mlir-opt",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "part_size_bytes": part,
        "part_sha256": [hashlib.sha256(piece).hexdigest() for piece in pieces],
    }
    return Offer(**{**facts, **fields})


def artifact_of(content: bytes = b"x", now_ms: int = NOON_AT, **fields: Any) -> Artifact:
    """A stored artifact of these bytes."""
    return Artifact.of(offer_of(content, **fields), now_ms, agent=AGENT.name, is_owned=True)


def verdict(n: int, status: str = "succeeded", ended_at: int = NOON_AT, **fields: Any) -> BuildVerdict:
    """BUILD_VERDICT of build n."""
    data = BuildVerdictData(**{"status": status, "revision": 1, "branch": "main", "ended_at": ended_at, **fields})
    return BuildVerdict(build_id=build_id(n), project="p", timestamp=ended_at, data=data)


class IngestClient:
    """What ingest would answer of builds: `owners` by build, every other build is agent ci-1's in project p."""

    def __init__(self) -> None:
        self.owners: dict[str, tuple[str, str] | None] = {}
        self.is_away = False

    async def get_json(self, path: str, principal: Principal) -> Any:
        """Answer like ingest's internal route."""
        assert principal.kind == "service"
        if self.is_away:
            raise ServiceUnavailable("ingest", "away")
        asked = parse_qs(urlsplit(path).query)["build"]
        known = {each: self.owners.get(each, (AGENT.name, "p")) for each in asked}
        return {each: {"stored": 9, "agent": owner[0], "project": owner[1]} for each, owner in known.items() if owner}

    async def close(self) -> None:
        """Nothing is pooled."""


class Service:
    """A running artifacts service, its bus, agents that upload and people who ask."""

    def __init__(self, app: Any, bus: Bus, clock: list[int], ingest: IngestClient) -> None:
        self.app, self.bus, self._clock, self.ingest = app, bus, clock, ingest

    def later(self, ms: int) -> None:
        """Time passes for the service's clock."""
        self._clock[0] += ms

    async def call(self, method: str, path: str, caller: Principal | None = ANN, **sent: Any) -> httpx.Response:
        """Any request; `caller` None sends no token."""
        headers = {"Authorization": f"Bearer {mint_internal(caller, 'artifacts', SECRET)}"} if caller else {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://artifacts") as client:
            return await client.request(method, path, headers={**headers, **sent.pop("headers", {})}, **sent)

    async def offer(self, offer: Offer, caller: Principal = AGENT) -> httpx.Response:
        """POST an offer."""
        body = offer.model_dump(mode="json", by_alias=True, exclude_none=True)
        return await self.call("POST", "/api/artifacts", caller, json=body)

    async def put(self, put: dict[str, Any], content: bytes) -> httpx.Response:
        """Make one request of a plan, as an agent does."""
        piece = content[put["offset"] : put["offset"] + put["sizeBytes"]]
        if put["url"].startswith("http"):
            async with httpx.AsyncClient(trust_env=False) as client:
                return await client.put(put["url"], content=piece, headers=put["headers"])
        return await self.call("PUT", put["url"], None, content=piece, headers=put["headers"])

    async def upload(self, offer: Offer, content: bytes) -> str:
        """Offer, make every request, report; the artifact's id."""
        plan = (await self.offer(offer)).raise_for_status().json()
        for put in plan["puts"]:
            (await self.put(put, content)).raise_for_status()
        await self.publish(self.uploaded(offer))
        return str(plan["artifactId"])

    def uploaded(self, offer: Offer, **fields: Any) -> ArtifactUploaded:
        """ARTIFACT_UPLOADED of an offer."""
        data = ArtifactUploadedData(
            artifact_id=offer.artifact_id(AGENT.name), name=offer.name, size_bytes=offer.size_bytes, sha256=offer.sha256
        )
        facts = {"build_id": offer.build_id, "project": offer.project, "timestamp": NOON_AT, "seq": 9, "data": data}
        return ArtifactUploaded(**{**facts, **fields})

    async def publish(self, *messages: ArtifactUploaded | BuildVerdict, agent: str = AGENT.name) -> None:
        """Put messages on the bus, as the gateway does for this agent."""
        await self.bus.publish(
            [
                Outgoing(routing_key(m.type, m.build_id, m.project), m.to_json().encode(), {"agent": agent})
                for m in messages
            ]
        )

    def overwrite(self, artifact_id: str, content: bytes | None) -> None:
        """Put other bytes in an artifact's place, or none, as anyone with the disk or a key of the bucket could."""
        settings = self.app.state.dependencies.settings
        if not settings.s3_bucket:
            path = Path(settings.directory) / "objects" / artifact_id
            path.unlink() if content is None else path.write_bytes(content)
            return
        client = self.app.state.dependencies.objects._client
        at = {"Bucket": settings.s3_bucket, "Key": f"{settings.s3_prefix}{artifact_id[:2]}/{artifact_id}"}
        client.delete_object(**at) if content is None else client.put_object(**at, Body=content)

    async def until(self, artifact_id: str, state: str) -> dict[str, Any]:
        """Wait until an artifact is in this state."""
        async with asyncio.timeout(20):
            while True:
                found = await self.call("GET", f"/api/artifacts/{artifact_id}")
                if found.status_code == 200 and found.json()["state"] == state:
                    return dict(found.json())
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(bus_url: str, tmp_path: Path, **settings: Any) -> AsyncIterator[Service]:
    """The service on this bus, its store and its bytes below `tmp_path`."""
    facts = {
        "store_url": f"sqlite:///{tmp_path}/artifacts.sqlite",
        "directory": str(tmp_path / "bytes"),
        "s3_bucket": "",
        "jwt_secret_key": SECRET,
        "config_path": str(tmp_path / "config.yaml"),
    }
    clock = [NOON_AT]
    bus = open_bus(bus_url)
    await bus.open()
    ingest = IngestClient()
    app = create_app(
        Settings(_env_file=None, **{**facts, **settings}),
        bus,
        peers=cast("Any", {"ingest": ingest}),
        clock=lambda: clock[0],
    )
    async with app.router.lifespan_context(app):
        yield Service(app, bus, clock, ingest)
    await bus.close()


@pytest.fixture
def run_service() -> Callable[..., AbstractAsyncContextManager[Service]]:
    """`async with run_service(bus_url, tmp_path, **settings) as service`."""
    return running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """The service on an embedded bus, its bytes in a directory."""
    async with running(f"sqlite:///{tmp_path}/bus.sqlite", tmp_path) as service:
        yield service


@pytest.fixture
def offers() -> Callable[..., Offer]:
    """`offers(content, n=..., part=..., name=...)`."""
    return offer_of


@pytest.fixture
def made() -> Callable[..., Artifact]:
    """`made(content, **fields)`: an artifact as stored."""
    return artifact_of


@pytest.fixture
def verdicts() -> Callable[..., BuildVerdict]:
    """`verdicts(n, status, ended_at)`."""
    return verdict


@pytest.fixture
def fresh_note() -> Any:
    """The note of build n while it runs."""
    return lambda n=1: unjudged(build_id(n), "p", NOON_AT)


store = store_fixture(open_store)


@pytest.fixture
def s3_settings(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Settings that name a prefix of the test's own on a real S3 server; starts it on first use."""
    prefix = f"{secrets.token_hex(6)}/"

    def settings(**fields: Any) -> dict[str, Any]:
        return {
            "s3_endpoint": request.getfixturevalue("seaweedfs").endpoint,
            "s3_bucket": BUCKET,
            "s3_prefix": prefix,
            "aws_access_key": ACCESS_KEY,
            "aws_secret_key": SECRET_KEY,
            **fields,
        }

    return settings
