"""The object store as docker-compose.yml starts it: its artifacts service's, and closed to everybody else."""

import hashlib
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from build_artifacts.artifact import Artifact, Offer
from build_artifacts.objects import open_objects
from build_artifacts.settings import Settings
from build_protocol.ids import new_build_id
from build_testkit.stack import free_port, wait_until

from .test_compose import ROOT, make_secrets
from .test_compose import composed as composed  # noqa: PLC0414  a fixture, shared
from .test_compose import secrets_folder as secrets_folder  # noqa: PLC0414  a fixture, shared

PART = 5 * 1024 * 1024
NETWORK = "127.0.0.3"
"""Plays the address that the container has on its network."""

PORTS = [f"{part}.port{kind}" for part in ("master", "filer", "volume", "s3") for kind in ("", ".grpc")]


START = str(ROOT / "deploy" / "objects" / "start.sh")
"""What the container starts with."""


OWN = ("AWS_", "S3_", "ARTIFACTS_S3_")
"""Variables of the artifacts service that are about the store."""


class Store:
    """The running store: where S3 answers, and the ports of all its parts."""

    def __init__(
        self, ports: dict[str, int], environment: dict[str, str], secrets_folder: Path, directory: Path
    ) -> None:
        self.ports, self.directory = ports, directory
        keys = {name: str(secrets_folder / name) for name in ("s3_access_key", "s3_secret_key")}
        self.environment = {
            name: keys.get(Path(value).name, value) for name, value in environment.items() if name.startswith(OWN)
        }
        self.access_key, self.secret_key = (Path(path).read_text().strip() for path in keys.values())
        self.endpoint = f"http://{NETWORK}:{ports['s3.port']}"

    def client(self, access_key: str, secret_key: str) -> Any:
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )


@pytest.fixture(scope="module")
def store(
    composed: dict[str, Any], secrets_folder: Path, weed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Started by the container's own command, with the ports and the directory of this test."""
    directory = tmp_path_factory.mktemp("objects")
    ports = {name: free_port() for name in [*PORTS, "s3.port.iceberg", "s3.port.lance"]}
    more = [f"-dir={directory}", f"-s3.ip.bind={NETWORK}", *(f"-{name}={port}" for name, port in ports.items())]
    environment = composed["services"]["objects"]["environment"]
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [START, *more],
            env={
                "PATH": f"{weed.parent}:{os.environ['PATH']}",
                "TMPDIR": str(directory),
                "SECRETS": str(secrets_folder),
                **environment,
            },
            stdout=output,
            stderr=output,
            cwd=directory,
        )
    try:
        running = Store(ports, composed["services"]["artifacts"]["environment"], secrets_folder, directory)

        def is_up() -> bool:
            assert process.poll() is None, (directory / "output").read_text()[-2000:]
            try:
                return httpx.get(running.endpoint + "/healthz", trust_env=False).is_success
            except httpx.TransportError:
                return False

        wait_until(is_up, 60, "the object store answers", every=0.2)
        yield running
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def bucket(store: Store, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The artifacts service's settings, as compose makes them."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARTIFACTS_S3_ENDPOINT", store.endpoint)
    return Settings(_env_file=None)


def artifact_of(content: bytes, part: int | None = None) -> Artifact:
    pieces = [content[at : at + part] for at in range(0, len(content), part)] if part else []
    offer = Offer(
        build_id=new_build_id(1_700_000_000_000),
        project="p",
        name="prog",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        part_size_bytes=part,
        part_sha256=[hashlib.sha256(piece).hexdigest() for piece in pieces],
    )
    return Artifact.of(offer, 1, agent="ci-1")


async def brought(settings: Settings, content: bytes, part: int | None = None) -> str:
    """The key of an artifact that was brought, sealed and read again as the service does it."""
    objects: Any = open_objects(settings)
    await objects.open()
    artifact = artifact_of(content, part)
    if part:
        artifact = artifact.become("uploading", 1, upload_id=await objects.begin(artifact))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for put in await objects.plan(artifact, 60):
            piece = content[put.offset : put.offset + put.size_bytes]
            (await client.put(put.url, content=piece, headers=put.headers)).raise_for_status()
    artifact = artifact.become("verified", 1, receipt=await objects.seal(artifact))
    assert b"".join([block async for block in await objects.read(artifact, 0, len(content))]) == content
    assert await objects.sweep(1) == 0
    await objects.close()
    return str(objects._at(artifact)["Key"])


@pytest.mark.s3
@pytest.mark.parametrize("part", [None, PART], ids=["whole", "parts"])
async def test_the_artifacts_service_brings_and_reads(bucket: Settings, part: int | None) -> None:
    """It makes its bucket, and does everything it needs with its own identity."""
    await brought(bucket, secrets.token_bytes(PART + 1000), part)


@pytest.mark.s3
async def test_what_lies_on_the_disk_is_encrypted(store: Store, bucket: Settings) -> None:
    """Nobody reads an artifact from the store's volume."""
    content = secrets.token_bytes(100_000)
    await brought(bucket, content)
    paths = [path for path in store.directory.rglob("*") if path.is_file() and path.name != "output"]

    assert sum(path.stat().st_size for path in paths) > len(content)
    assert not [path for path in paths if content[:28] in path.read_bytes()]


@pytest.mark.s3
async def test_without_a_signature_nothing_is_done(store: Store, bucket: Settings) -> None:
    """Reading, listing, writing, removing, parts, policies, buckets: 403 each, and what is there stays."""
    key = await brought(bucket, b"kept")
    name = f"/{bucket.s3_bucket}"
    requests = [
        *(("GET", path) for path in ("/", name, f"{name}?list-type=2", f"{name}?uploads", f"{name}/{key}")),
        *(("PUT", path) for path in (f"{name}/{key}", f"{name}/x", f"{name}?policy", f"{name}?acl", "/another")),
        *(("DELETE", path) for path in (f"{name}/{key}", name, f"{name}?policy")),
        *(("POST", path) for path in (f"{name}/x?uploads", f"{name}?delete")),
        ("HEAD", f"{name}/{key}"),
    ]

    async with httpx.AsyncClient(base_url=store.endpoint, trust_env=False, timeout=60) as anybody:
        answers = {request: (await anybody.request(*request, content=b"x")).status_code for request in requests}

    assert answers == dict.fromkeys(requests, 403)
    own = store.client(store.access_key, store.secret_key)
    assert own.get_object(Bucket=bucket.s3_bucket, Key=key)["Body"].read() == b"kept"


@pytest.mark.s3
@pytest.mark.parametrize(
    "keys",
    [
        ("OWN", "0" * 36),
        ("dashboard", "dashboard-secret"),
        ("your_key", "your_secret"),
        ("admin", "OWN"),
        ("", "OWN"),
    ],
)
def test_another_key_is_no_key(store: Store, bucket: Settings, keys: tuple[str, str]) -> None:
    """A wrong secret, the defaults of earlier releases, another name: 403."""
    access_key, secret_key = keys
    stranger = store.client(
        store.access_key if access_key == "OWN" else access_key, store.secret_key if secret_key == "OWN" else secret_key
    )
    for ask in (
        lambda: stranger.list_objects_v2(Bucket=bucket.s3_bucket),
        lambda: stranger.put_object(Bucket=bucket.s3_bucket, Key="x", Body=b"x"),
        lambda: stranger.create_multipart_upload(Bucket=bucket.s3_bucket, Key="x"),
    ):
        with pytest.raises(ClientError) as refused:
            ask()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)


@pytest.mark.s3
def test_the_services_own_key_opens_its_own_bucket_only(store: Store) -> None:
    """No other bucket is made or written to with it."""
    own = store.client(store.access_key, store.secret_key)
    with pytest.raises(ClientError, match="AccessDenied"):
        own.create_bucket(Bucket="another")
    with pytest.raises(ClientError, match="AccessDenied"):
        own.put_object(Bucket="another", Key="x", Body=b"x")


@pytest.mark.s3
@pytest.mark.parametrize("port", [name for name in PORTS if not name.startswith("s3")])
def test_what_asks_for_no_key_listens_on_loopback_only(store: Store, port: str) -> None:
    """Master, filer and volumes answer inside the container, and not at its address on the network."""
    socket.create_connection(("127.0.0.1", store.ports[port]), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((NETWORK, store.ports[port]), timeout=5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s3_access_key": ""}, "s3_access_key is empty"),
        ({"s3_secret_key": ""}, "s3_secret_key is shorter than 32 characters"),
        ({"s3_access_key": "your_key", "s3_secret_key": "your_secret"}, "a placeholder"),
        ({"s3_access_key": "your_key"}, "s3_access_key is empty, or a placeholder"),
        ({"s3_secret_key": "dashboard-secret"}, "s3_secret_key is shorter than 32 characters"),
        ({"s3_secret_key": 'x"}], "actions": ["Admin"]}], "accounts": ["'}, "other characters"),
        ({"s3_access_key": "key\nkey"}, "other characters"),
        ({"S3_BUCKET": 'a"'}, "other characters"),
    ],
)
def test_it_does_not_start_without_a_key_of_its_own(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    """Missing, a placeholder, guessable, or more than a key: one sentence with the secret's name, and no server."""
    secrets = make_secrets(tmp_path / "secrets")
    for name in set(changes) - {"S3_BUCKET"}:
        (secrets / name).chmod(0o600)
        (secrets / name).write_text(changes[name])
    weed = tmp_path / "weed"
    weed.write_text("#!/bin/sh\necho started\n")
    weed.chmod(0o755)

    answer = subprocess.run(
        [START],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path),
            "SECRETS": str(secrets),
            "S3_BUCKET": changes.get("S3_BUCKET", "build-artifacts"),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (1, "") == (answer.returncode, answer.stdout)
    assert reason in answer.stderr
    assert "make compose-secrets" in answer.stderr
