"""Backup of separate services: each store by its own tools, into empty ones of the same kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import zstandard
from build_chassis.settings import ServiceSettings
from build_embedded.backup import services
from build_embedded.backup.manifest import BackupFault, read_manifest
from build_embedded.backup.restore import OPEN_STORE
from build_gateway.store.rows import Key, User
from build_testkit.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFs
from build_testkit.signing import SECRET
from build_testkit.stores import opened
from pymongo import AsyncMongoClient
from sqlalchemy import create_engine, text

BYTES = bytes(range(256)) * 20
NAME = 'Ännchen "the\\ 雪" \'O'


def settings_of(place: str, tmp_path: Path, **artifacts: Any) -> dict[str, ServiceSettings]:
    """All services' settings, with stores below a directory, or in databases whose names begin with a URL's."""

    def store_url(service: str) -> str:
        if place.startswith("sqlite"):
            return f"{place.removesuffix('.sqlite')}-{service}.sqlite"
        parts = urlsplit(place)
        return urlunsplit(parts._replace(path=f"{parts.path}_{service}"))

    made = {
        service: kind(
            store_url=store_url(service),
            jwt_secret_key=SECRET,
            config_path=str(tmp_path / "config.yaml"),
            **(artifacts if service == "artifacts" else {}),
        )
        for service, kind in services.SETTINGS.items()
    }
    return dict(made)


async def fill(settings: Mapping[str, ServiceSettings]) -> None:
    for service, own in settings.items():
        async with opened(OPEN_STORE[service](own.store_url)) as store:
            if service == "gateway":
                await store.add_user(User(name=NAME, role="viewer", password_hash="h", created_at=1))
                await store.add_key(Key(id="k", name="ci", sha256="s", created_by=NAME, created_at=1))
    url = settings["ingest"].store_url
    if url.startswith("mongodb"):
        client: AsyncMongoClient[Any] = AsyncMongoClient(url)
        chunks = client[urlsplit(url).path.strip("/")]["chunks"]
        await chunks.insert_many([{"_id": f"b.{number}", "first_seq": number, "text": BYTES} for number in range(1200)])
        await client.close()
        return
    engine = create_engine(url.replace("mysql:", "mysql+pymysql:"))
    with engine.begin() as connection:
        names = "build_id, first_seq, last_seq, first_line, last_line, first_byte, end_byte, continues, text, `index`"
        values = "'b', :n, :n, 1, 1, 0, 9, false, :bytes, :bytes"
        statement = text(f"insert into chunks ({names}) values ({values})")
        connection.execute(statement, [{"n": number, "bytes": BYTES} for number in range(1200)])
    engine.dispose()


def content(directory: Path, service: str) -> list[bytes]:
    """What a store's file says, without what names the database or counts the writes of its readiness."""
    (path,) = directory.glob(f"{service}.*")
    raw = path.read_bytes()
    if path.suffix == ".sqlite":
        return [raw]
    unpacked = zstandard.ZstdDecompressor().stream_reader(raw).read()
    return [line for line in unpacked.split(b"\n") if not line.startswith((b"--", b"/*"))]


@pytest.mark.slow
async def test_what_was_backed_up_is_restored_whatever_keeps_it(store_url: str, tmp_path: Path) -> None:
    """Every byte, on each driver; then the keys and people wait. Nothing is put where something is."""
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "one").write_bytes(BYTES)
    (tmp_path / "config.yaml").write_text("projects: {}\n")
    before = settings_of(store_url, tmp_path, directory=str(tmp_path))
    other = store_url.removesuffix(".sqlite") + "_2" if "sqlite" in store_url else _renamed(store_url)
    after = settings_of(other, tmp_path, directory=str(tmp_path / "restored"))
    await fill(before)

    directory = tmp_path / "backup"
    made = await _in_thread(services.back_up, before, directory)
    assert {"config.yaml", "directory/one"} < made.files.keys()
    held = await _in_thread(
        services.restore, after, directory, read_manifest(directory), confirmed=False, sends_gap=False
    )

    assert ([NAME], ["k (ci)"]) == (held.people, held.keys)
    assert BYTES == (tmp_path / "restored" / "objects" / "one").read_bytes()
    again = tmp_path / "again"
    await _in_thread(services.back_up, after, again)
    for service in ("ingest", "artifacts", "history"):
        assert content(directory, service) == content(again, service), service
    async with opened(OPEN_STORE["gateway"](after["gateway"].store_url)) as gateway:
        assert [(NAME, True)] == [(user.name, user.on_hold) for user in await gateway.list_users()]
    with pytest.raises(BackupFault, match=r"is not empty|exists"):
        await _in_thread(services.restore, after, directory, made, confirmed=False, sends_gap=False)


@pytest.mark.s3
def test_objects_of_a_bucket_go_along(seaweedfs: SeaweedFs, tmp_path: Path) -> None:
    """By their keys, below the prefix; what is there already is not written again."""
    from build_artifacts.objects.s3 import connect
    from build_artifacts.settings import Settings
    from build_embedded.backup import s3

    bucket = f"{BUCKET}-backup"  # other tests of this server have the usual one
    where: dict[str, Any] = {"s3_bucket": bucket, "s3_endpoint": seaweedfs.endpoint, "jwt_secret_key": SECRET}
    who: dict[str, Any] = {"aws_access_key": ACCESS_KEY, "aws_secret_key": SECRET_KEY}
    source, target = (Settings(**where, **who, s3_prefix=prefix) for prefix in ("from/", "to/"))
    client = connect(source, source.s3_endpoint)
    client.create_bucket(Bucket=bucket)
    for number in range(3):
        client.put_object(Bucket=bucket, Key=f"from/{number}", Body=BYTES * number)

    files = s3.dump(source, tmp_path)
    for _ in range(2):
        s3.load(tmp_path, target)

    assert ["bucket/0", "bucket/1", "bucket/2"] == sorted(files)
    found = [client.get_object(Bucket=bucket, Key=f"to/{number}")["Body"].read() for number in range(3)]
    assert [BYTES * number for number in range(3)] == found


def _renamed(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path}_2"))


async def _in_thread(call: Any, *arguments: Any, **named: Any) -> Any:
    import asyncio

    return await asyncio.to_thread(call, *arguments, **named)
