"""The objects' contract: on a directory, and on a real S3 server that checks every signature and hash."""

import base64
import hashlib
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import boto3
import httpx
import pytest
from build_artifacts.objects import NotWhole, UploadGone, open_objects
from build_artifacts.objects.directory import ROUTE, DirectoryObjects
from build_artifacts.settings import Settings
from build_chassis.errors import StoreUnavailable
from build_testkit.seaweedfs import BUCKET
from build_testkit.signing import SECRET
from build_testkit.web import serving
from pydantic import ValidationError

PART = 5 * 1024 * 1024
CONTENT = b"\x7fELF" + bytes(range(256)) * 40
LARGE = secrets.token_bytes(1024) * (11 * 1024)


class Uploader:
    """Makes the requests of a plan, wherever they go."""

    def __init__(self, objects):
        self.objects = objects

    async def put(self, put, content):
        """The status of one request."""
        if put.url.startswith(ROUTE):
            try:
                await self.objects.receive(
                    self.objects.tickets.read(put.url.removeprefix(ROUTE), "put"), chunks(content)
                )
            except NotWhole:
                return 400
            except UploadGone:
                return 404
            return 200
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.put(put.url, content=content, headers=put.headers)).status_code

    async def upload(self, artifact, content, only=lambda put: True):
        for put in filter(only, await self.objects.plan(artifact, 60)):
            assert await self.put(put, content[put.offset : put.offset + put.size_bytes]) in (200, 204)

    async def get(self, artifact):
        """What a reader gets, at an address or from here; None when it is not there."""
        try:
            artifact = artifact.become("verified", 1, receipt=await self.objects.check(artifact))
        except NotWhole:
            return None
        url = await self.objects.link(artifact, 60)
        if url is None:
            return await read(self.objects, artifact)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url)
        return answer.content if answer.status_code == 200 else None

    def overwrite(self, artifact, content):
        """Put other bytes in an artifact's place, or none, as anyone with the disk or a key of the bucket could."""
        if isinstance(self.objects, DirectoryObjects):
            path = self.objects._objects / artifact.id
            path.unlink() if content is None else path.write_bytes(content)
            return
        client, at = self.objects._client, self.objects._at(artifact)
        client.delete_object(**at) if content is None else client.put_object(**at, Body=content)


async def read(objects, artifact, begin=0, end=None):
    blocks = await objects.read(artifact, begin, artifact.size_bytes if end is None else end)
    return b"".join([block async for block in blocks])


async def chunks(content):
    for at in range(0, len(content), 100_000):
        yield content[at : at + 100_000]


PLACES = ["directory", *(pytest.param(name, marks=pytest.mark.s3) for name in ("s3", "s3 through the gateway"))]


@pytest.fixture(params=PLACES)
async def objects(request, tmp_path, s3_settings):
    """Empty objects, on every driver and either way to the bytes."""
    fields: dict[str, Any] = {"directory": str(tmp_path), "s3_bucket": ""}
    if request.param != "directory":
        fields = s3_settings(s3_transfer="direct" if request.param == "s3" else "gateway")
    opened = open_objects(Settings(_env_file=None, jwt_secret_key=SECRET, **fields))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def uploader(objects):
    return Uploader(objects)


async def begun(objects, artifact):
    return artifact.become("uploading", 1, upload_id=await objects.begin(artifact))


async def test_whole_bytes_are_sealed_and_linked(objects, uploader, made):
    """One request; sealing twice is the same; empty files too."""
    for content in (CONTENT, b""):
        artifact = made(content)
        await uploader.upload(artifact, content)
        await objects.seal(artifact)
        await objects.seal(artifact)

        assert await uploader.get(artifact) == content


async def test_parts_are_joined_in_order_whatever_order_they_came_in(objects, uploader, made):
    """A plan asks for what is missing; joining again after the join was not recorded is the same."""
    artifact = await begun(objects, made(LARGE, part=PART))
    await uploader.upload(artifact, LARGE, lambda put: put.part != 1)
    assert [1] == [put.part for put in await objects.plan(artifact, 60)]
    with pytest.raises(NotWhole, match="1 of 3 parts"):
        await objects.seal(artifact)
    await uploader.upload(artifact, LARGE)

    await objects.seal(artifact)
    await objects.seal(artifact)

    assert await uploader.get(artifact) == LARGE


@pytest.mark.parametrize("part", [None, PART])
async def test_other_bytes_are_refused_as_they_arrive(objects, uploader, made, part):
    """Shorter, longer, same length: not taken, so nothing is sealed."""
    content = LARGE if part else CONTENT
    artifact = made(content, part=part)
    if part:
        artifact = await begun(objects, artifact)
    put = (await objects.plan(artifact, 60))[0]
    piece = content[: put.size_bytes]

    for wrong in (piece[:-1], piece + b"x", piece[:-1] + bytes([piece[-1] ^ 1])):
        assert await uploader.put(put, wrong) in (400, 403)

    with pytest.raises(NotWhole):
        await objects.seal(artifact)


async def test_nothing_is_sealed_that_never_came(objects, made):
    """Neither whole nor in parts; planning an aborted upload raises UploadGone."""
    with pytest.raises(NotWhole):
        await objects.seal(made(CONTENT))
    artifact = await begun(objects, made(LARGE, part=PART))
    await objects.drop(artifact)
    with pytest.raises(NotWhole):
        await objects.seal(artifact)
    with pytest.raises(UploadGone):
        await objects.plan(artifact, 60)


async def test_dropped_is_gone_and_dropping_again_is_the_same(objects, uploader, made):
    """Sealed or half uploaded."""
    sealed, half = made(CONTENT), await begun(objects, made(LARGE, part=PART))
    await uploader.upload(sealed, CONTENT)
    await uploader.upload(half, LARGE, lambda put: put.part == 2)
    for artifact in (sealed, half, sealed, half):
        await objects.drop(artifact)

    assert await uploader.get(sealed) is None


async def test_uploads_nobody_remembers_are_taken_back(objects, uploader, made):
    """Those begun before the given time, and no others."""
    orphan = await begun(objects, made(LARGE, part=PART))
    await uploader.upload(orphan, LARGE, lambda put: put.part == 1)

    assert await objects.sweep(int((time.time() - 3600) * 1000)) == 0
    assert await objects.sweep(int((time.time() + 3600) * 1000)) == 1
    with pytest.raises(UploadGone):
        await objects.plan(orphan, 60)


@pytest.mark.parametrize("part", [None, PART], ids=["whole", "parts"])
@pytest.mark.parametrize("other", ["same length", "shorter", "longer", "none"])
async def test_what_replaced_the_bytes_is_noticed_and_never_read(objects, uploader, made, part, other):
    """By a check, and by a read of the earlier bytes, all of them or a range; what is put back is fine again."""
    content = LARGE if part else CONTENT
    artifact = await begun(objects, made(content, part=part)) if part else made(content)
    await uploader.upload(artifact, content)
    artifact = artifact.become("verified", 1, receipt=await objects.seal(artifact))
    assert await objects.check(artifact) == artifact.receipt
    assert await read(objects, artifact, 10, 20) == content[10:20]

    wrong = content[:-1] + bytes([content[-1] ^ 1])
    uploader.overwrite(
        artifact, {"same length": wrong, "shorter": content[:-1], "longer": content + b"x", "none": None}[other]
    )

    for looked_at in (artifact, artifact.become("damaged", 1)):
        with pytest.raises(NotWhole):
            await objects.check(looked_at)
    for span in ((0, len(content)), (0, 10)):
        with pytest.raises(NotWhole):
            await read(objects, artifact, *span)

    uploader.overwrite(artifact, content)
    restored = artifact.become("verified", 1, receipt=await objects.check(artifact.become("damaged", 1)))
    assert await read(objects, restored) == content


@pytest.mark.parametrize("part", [None, PART], ids=["whole", "parts"])
async def test_addresses_of_an_upload_bring_nothing_else_after_sealing(objects, uploader, made, part):
    """They are good for minutes more: other bytes are refused, the same ones again change nothing for readers."""
    content = LARGE if part else CONTENT
    artifact = await begun(objects, made(content, part=part)) if part else made(content)
    puts = await objects.plan(artifact, 60)
    await uploader.upload(artifact, content)
    receipt = await objects.seal(artifact)

    for put in puts:
        piece = content[put.offset : put.offset + put.size_bytes]
        wrong = piece[:-1] + bytes([piece[-1] ^ 1])
        forged = {**put.headers, "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(wrong).digest()).decode()}
        assert await uploader.put(put, wrong) in (400, 403, 404)
        assert await uploader.put(put.model_copy(update={"headers": forged}), wrong) in (400, 403, 404)
        await uploader.put(put, piece)

    sealed = artifact.become("verified", 1, receipt=receipt)
    sealed = sealed.become("verified", 1, receipt=await objects.check(sealed))
    assert await read(objects, sealed) == content


@pytest.mark.s3
async def test_a_versioned_bucket_keeps_serving_the_verified_version(s3_settings, made):
    """The address names it: whatever was put there since is not what it answers with."""
    objects = cast("Any", open_objects(Settings(_env_file=None, **s3_settings(s3_bucket=f"{BUCKET}-versioned"))))
    await objects.open()
    versioning = {"Status": "Enabled"}
    objects._client.put_bucket_versioning(Bucket=f"{BUCKET}-versioned", VersioningConfiguration=versioning)
    artifact = made(CONTENT)
    await Uploader(objects).upload(artifact, CONTENT)
    artifact = artifact.become("verified", 1, receipt=await objects.seal(artifact))

    objects._client.put_object(**objects._at(artifact), Body=b"other bytes")

    assert await objects.check(artifact) == artifact.receipt
    assert await read(objects, artifact) == CONTENT
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(await objects.link(artifact, 60))).content == CONTENT
    await objects.drop(artifact)
    await objects.close()


@pytest.mark.s3
async def test_s3_links_save_and_expire_and_resist_tampering(s3_settings, made):
    """The answer is an attachment of octets; an edited or expired address, or another method, is 403."""
    objects = cast("Any", open_objects(Settings(_env_file=None, **s3_settings())))
    await objects.open()
    artifact = made(CONTENT, name='../größer".html')
    await Uploader(objects).upload(artifact, CONTENT)
    put = (await objects.plan(artifact, 60))[0]
    url, short = await objects.link(artifact, 60), await objects.link(artifact, 1)
    other = url.replace(artifact.id, "0" * 32)

    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
        assert answer.headers["content-disposition"].startswith("attachment; ")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "no-store"
        for wrong in (other, url.replace("attachment", "inline")):
            assert (await client.get(wrong)).status_code == 403
        assert (await client.put(url, content=CONTENT)).status_code == 403
        unpinned = {name: value for name, value in put.headers.items() if "checksum" not in name}
        assert (await client.put(put.url, content=CONTENT, headers=unpinned)).status_code == 403
        expired_by = time.monotonic() + 10
        while (status := (await client.get(short)).status_code) != 403:
            assert time.monotonic() < expired_by, status
    await objects.close()


@pytest.mark.s3
async def test_s3_bytes_put_there_by_another_way_are_not_sealed(s3_settings, made):
    """The right size and other content, written with the bucket's own key: HeadObject's hash or a reading shows it."""
    fields = s3_settings()
    objects = open_objects(Settings(_env_file=None, **fields))
    await objects.open()
    artifact = made(CONTENT)
    client = boto3.client(
        "s3",
        endpoint_url=fields["s3_endpoint"],
        aws_access_key_id=fields["aws_access_key"],
        aws_secret_access_key=fields["aws_secret_key"],
        region_name="us-east-1",
    )
    key = f"{fields['s3_prefix']}{artifact.id[:2]}/{artifact.id}"
    for content in (CONTENT[::-1], CONTENT[1:]):
        client.put_object(Bucket=fields["s3_bucket"], Key=key, Body=content)
        with pytest.raises(NotWhole):
            await objects.seal(artifact)
    await objects.close()
    client.close()


@pytest.mark.s3
async def test_an_s3_that_refuses_us_is_unavailable(s3_settings, made):
    """Wrong secret: what is reported meanwhile waits, it is not refused."""
    objects = open_objects(Settings(_env_file=None, **s3_settings(aws_secret_key="wrong")))
    with pytest.raises(StoreUnavailable):
        await objects.ping()
    with pytest.raises(StoreUnavailable):
        await objects.seal(made(CONTENT))
    await objects.close()


@pytest.mark.slow
async def test_a_bucket_that_takes_no_writes_is_not_there():
    """It answers whoever asks for it all the same; once it has taken a write, asking is enough until it fails."""
    seen, answers = [], {"HEAD": 200, "PUT": 500}

    class Bucket(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            seen.append(self.command)
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(answers[self.command])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_PUT  # noqa: N815  its name

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Bucket)) as url:
        objects = open_objects(
            Settings(_env_file=None, s3_bucket="b", s3_endpoint=url, aws_access_key="k", aws_secret_key="s" * 40)
        )
        with pytest.raises(StoreUnavailable):
            await objects.ping()
        answers["PUT"] = 200
        seen.clear()
        await objects.ping()
        await objects.ping()
        assert seen == ["PUT", "HEAD"]
        answers["HEAD"] = 403
        with pytest.raises(StoreUnavailable):
            await objects.ping()
        seen.clear()
        await objects.ping()
        assert seen == ["PUT"]
        await objects.close()


@pytest.mark.s3
async def test_s3_is_asked_to_encrypt(s3_settings, made):
    """The header is signed into a PUT, which cannot be made without it."""
    objects = open_objects(Settings(_env_file=None, **s3_settings(s3_encryption="AES256")))
    put = (await objects.plan(made(CONTENT), 60))[0]

    assert put.headers["x-amz-server-side-encryption"] == "AES256"
    assert "x-amz-server-side-encryption" in put.url
    assert put.headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    await objects.close()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ACCESS_KEY", "your_key"), ("AWS_SECRET_KEY", "your_secret"), ("AWS_SECRET_KEY", "<your secret>")],
)
def test_a_bucket_is_not_asked_with_a_placeholder(monkeypatch, variable, value):
    """The variable is named before anything starts; where there is no bucket it is of no interest."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ValidationError, match=f"{variable} is a placeholder") as refused:
        Settings(_env_file=None, s3_bucket="build-artifacts")

    assert value not in str(refused.value)
    assert Settings(_env_file=None, s3_bucket="").s3_bucket == ""
