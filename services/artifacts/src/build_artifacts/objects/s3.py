"""Bytes in an S3 bucket, reached by presigned URLs, or only from here where agents and browsers cannot reach it.

A request's SHA-256 is among its signed headers, so S3 itself refuses other bytes. Of a multipart upload S3 knows the
hash of each part and of their hashes; the agent sent both the parts' and the whole's.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from build_chassis.errors import StoreUnavailable
from typing_extensions import override

from build_artifacts.artifact import Artifact, Part
from build_artifacts.disposition import attachment
from build_artifacts.objects.contract import NotWhole, Objects, Put, UploadGone
from build_artifacts.settings import Settings

CONNECT_SECONDS = 5
READ_SECONDS = 30
_BLOCK = 1024 * 1024
_NO_UPLOAD = frozenset({"NoSuchUpload", "404", "NotFound"})
_NO_OBJECT = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
_OTHER_OBJECT = _NO_OBJECT | {"PreconditionFailed", "412", "InvalidRange"}
_NO_BUCKET = frozenset({"NoSuchBucket", "404", "NotFound"})
_WRITE_PROBE = "write-probe"
"""An object that is written before the bucket counts as there; no artifact's key has this form."""

T = TypeVar("T")


class S3Objects(Objects):
    """Bytes in one bucket, below one prefix."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.s3_bucket
        self._prefix = settings.s3_prefix
        self._region = settings.aws_region
        self._client = connect(settings, settings.s3_endpoint)
        # A URL's host is part of its signature: agents may know the store under another name than this service.
        public = settings.s3_public_endpoint or settings.s3_endpoint
        self._signer = self._client if public == settings.s3_endpoint else connect(settings, public)
        self._encryption = _encryption(settings)
        self._is_direct = settings.s3_transfer == "direct"
        self._takes_writes = False

    @property
    @override
    def address(self) -> str | None:
        """The endpoint that presigned addresses name."""
        return str(self._signer.meta.endpoint_url) if self._is_direct else None

    @override
    async def open(self) -> None:
        """Make the bucket unless it is there."""
        try:
            await self._call(lambda: self._client.head_bucket(Bucket=self._bucket), _NO_BUCKET)
        except _Missing:
            where = {} if self._region == "us-east-1" else {"LocationConstraint": self._region}
            more = {"CreateBucketConfiguration": where} if where else {}
            await self._call(lambda: self._client.create_bucket(Bucket=self._bucket, **more))

    @override
    async def close(self) -> None:
        """Close pooled connections."""
        self._client.close()

    @override
    async def ping(self) -> None:
        if self._takes_writes:
            await self._call(lambda: self._client.head_bucket(Bucket=self._bucket))
            return
        # Only after an outage: in a bucket with versions each write stays.
        at = {"Bucket": self._bucket, "Key": f"{self._prefix}{_WRITE_PROBE}"}
        await self._call(lambda: self._client.put_object(**at, Body=b"1", **self._encryption))
        self._takes_writes = True

    @override
    async def begin(self, artifact: Artifact) -> str:
        answer = await self._call(
            lambda: self._client.create_multipart_upload(
                **self._at(artifact), ContentType=_TYPE, ChecksumAlgorithm="SHA256", **self._encryption
            )
        )
        return str(answer["UploadId"])

    @override
    async def plan(self, artifact: Artifact, seconds: int, *, is_inside: bool = False) -> list[Put]:
        """Presigned PUTs of what is missing. Raises UploadGone."""
        signer = self._client if is_inside else self._signer
        if not artifact.upload_id:
            return [self._put_whole(signer, artifact, seconds)]
        try:
            there = await self._parts(artifact)
        except _Missing as error:
            raise UploadGone(artifact.id) from error
        return [
            self._put_part(signer, artifact, part, seconds)
            for part in artifact.parts
            if part.number not in there or not _is(there[part.number], part)
        ]

    @override
    async def seal(self, artifact: Artifact) -> str:
        if artifact.upload_id:
            with suppress(_Missing):  # joined before, if the object is there
                await self._join(artifact)
        return await self.check(artifact)

    @override
    async def check(self, artifact: Artifact) -> str:
        """Compare size and S3's own SHA-256, else the receipt, else every byte; the receipt of now. Raises NotWhole."""
        sealed = _Receipt.read(artifact)
        at = {**self._at(artifact), **sealed.version}
        try:
            head = await self._call(lambda: self._client.head_object(**at, ChecksumMode="ENABLED"), _NO_OBJECT)
        except _Missing as error:
            raise NotWhole("the bytes are not there") from error
        if head["ContentLength"] != artifact.size_bytes:
            raise NotWhole(f"{head['ContentLength']} bytes are there, not {artifact.size_bytes}")
        now = _Receipt(head["ETag"], head.get("VersionId"))
        found = None if artifact.state == "damaged" else head.get("ChecksumSHA256")
        if found is None and now != sealed:  # some S3-compatible stores check it at the upload and never report it
            found = await self._call(lambda: self._hash(artifact, now))
        if found not in (None, _b64(artifact.sha256), _composite(artifact)):
            raise NotWhole(f"SHA-256 is {found} in base64")
        return str(now)

    @override
    async def link(self, artifact: Artifact, seconds: int) -> str | None:
        """A presigned GET that saves and never displays; in a versioned bucket, of the version that was verified."""
        if not self._is_direct:
            return None
        overrides = {"ResponseContentDisposition": attachment(artifact.name), "ResponseContentType": _TYPE}
        return str(
            self._signer.generate_presigned_url(
                "get_object",
                Params={
                    **self._at(artifact),
                    **_Receipt.read(artifact).version,
                    **overrides,
                    "ResponseCacheControl": "no-store",
                },
                ExpiresIn=seconds,
            )
        )

    @override
    async def read(self, artifact: Artifact, begin: int, end: int) -> AsyncGenerator[bytes]:
        only = {} if (begin, end) == (0, artifact.size_bytes) else {"Range": f"bytes={begin}-{end - 1}"}
        at = {**self._at(artifact), **_Receipt.read(artifact).exactly, **only}
        try:
            answer = await self._call(lambda: self._client.get_object(**at), _OTHER_OBJECT)
        except _Missing as error:
            raise NotWhole("the object has changed") from error
        return self._blocks(answer["Body"])

    async def _blocks(self, body: Any) -> AsyncGenerator[bytes]:
        with closing(body):
            while block := await self._call(partial(body.read, _BLOCK)):
                yield block

    @override
    async def drop(self, artifact: Artifact) -> None:
        if artifact.upload_id:
            with suppress(_Missing):
                await self._call(
                    lambda: self._client.abort_multipart_upload(**self._at(artifact), UploadId=artifact.upload_id),
                    _NO_UPLOAD,
                )
        with suppress(_Missing):
            await self._call(lambda: self._client.delete_object(**self._at(artifact)), _NO_OBJECT)

    @override
    async def sweep(self, before_at: int) -> int:
        """Abort uploads begun before that time; whoever still works at one begins another."""
        uploads = await self._call(self._uploads)
        old = [upload for upload in uploads if upload["Initiated"].timestamp() * 1000 < before_at]
        for upload in old:
            at = {"Bucket": self._bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            with suppress(_Missing):
                await self._call(partial(self._client.abort_multipart_upload, **at), _NO_UPLOAD)
        return len(old)

    def _at(self, artifact: Artifact) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{artifact.id[:2]}/{artifact.id}"}

    def _put_whole(self, signer: Any, artifact: Artifact, seconds: int) -> Put:
        checksum = _b64(artifact.sha256)
        url = signer.generate_presigned_url(
            "put_object",
            Params={
                **self._at(artifact),
                "ContentLength": artifact.size_bytes,
                "ContentType": _TYPE,
                "ChecksumSHA256": checksum,
                **self._encryption,
            },
            ExpiresIn=seconds,
        )
        headers = {"content-type": _TYPE, "x-amz-checksum-sha256": checksum, **_encryption_headers(self._encryption)}
        return Put(offset=0, size_bytes=artifact.size_bytes, url=url, headers=headers)

    def _put_part(self, signer: Any, artifact: Artifact, part: Part, seconds: int) -> Put:
        checksum = _b64(part.sha256)
        url = signer.generate_presigned_url(
            "upload_part",
            Params={
                **self._at(artifact),
                "UploadId": artifact.upload_id,
                "PartNumber": part.number,
                "ContentLength": part.size_bytes,
                "ChecksumSHA256": checksum,
            },
            ExpiresIn=seconds,
        )
        headers = {"x-amz-checksum-sha256": checksum}
        return Put(part=part.number, offset=part.offset, size_bytes=part.size_bytes, url=url, headers=headers)

    async def _parts(self, artifact: Artifact) -> dict[int, dict[str, Any]]:
        answer = await self._call(
            lambda: self._client.list_parts(**self._at(artifact), UploadId=artifact.upload_id), _NO_UPLOAD
        )
        # A part that was sent twice may be listed twice: the later one counts.
        return {part["PartNumber"]: part for part in answer.get("Parts", [])}

    async def _join(self, artifact: Artifact) -> None:
        there = await self._parts(artifact)
        missing = [part for part in artifact.parts if part.number not in there or not _is(there[part.number], part)]
        if missing:
            raise NotWhole(f"{len(missing)} of {len(artifact.parts)} parts never arrived")
        parts = [
            {"PartNumber": part.number, "ETag": there[part.number]["ETag"], "ChecksumSHA256": _b64(part.sha256)}
            for part in artifact.parts
        ]
        await self._call(
            lambda: self._client.complete_multipart_upload(
                **self._at(artifact), UploadId=artifact.upload_id, MultipartUpload={"Parts": parts}
            ),
            _NO_UPLOAD,
        )

    def _hash(self, artifact: Artifact, now: "_Receipt") -> str:
        digest = hashlib.sha256()
        for block in self._client.get_object(**self._at(artifact), **now.exactly)["Body"].iter_chunks(_BLOCK):
            digest.update(block)
        return base64.b64encode(digest.digest()).decode()

    def _uploads(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=self._prefix)
        return [upload for page in pages for upload in page.get("Uploads", [])]

    async def _call(self, work: Callable[[], T], missing: frozenset[str] = frozenset()) -> T:
        """Run work in a thread; raises _Missing for these error codes, StoreUnavailable for every other failure."""
        try:
            return await asyncio.to_thread(work)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") in missing:
                raise _Missing from error
            # Denied, throttled, broken: none of it is the artifact's fault, and all of it can be fixed.
            self._takes_writes = False
            raise StoreUnavailable("objects", error) from error
        except (BotoCoreError, OSError) as error:
            self._takes_writes = False
            raise StoreUnavailable("objects", error) from error


@dataclass(frozen=True)
class _Receipt:
    """What S3 calls the bytes: an ETag that no other bytes have, and in a versioned bucket a version."""

    etag: str
    version_id: str | None

    @classmethod
    def read(cls, artifact: Artifact) -> "_Receipt":
        """The receipt an artifact was given; an empty one before."""
        etag, _, version_id = (artifact.receipt or "").partition(" ")
        return cls(etag, version_id or None)

    @property
    def version(self) -> dict[str, str]:
        """Parameters of a request for this version."""
        return {"VersionId": self.version_id} if self.version_id else {}

    @property
    def exactly(self) -> dict[str, str]:
        """Parameters of a GET that answers with these bytes or not at all."""
        return {"IfMatch": self.etag, **self.version}

    def __str__(self) -> str:
        """As the artifact keeps it."""
        return f"{self.etag} {self.version_id}" if self.version_id else self.etag


class _Missing(Exception):
    """S3 does not know it."""


_TYPE = "application/octet-stream"


def connect(settings: Settings, endpoint: str) -> Any:
    """A client of the object store at this address; of Amazon's where it is empty."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key or None,
        aws_secret_access_key=settings.aws_secret_key or None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 3},
            # Other stores have no host per bucket, and not all of them take the CRC32 that boto3 adds unasked.
            s3={"addressing_style": "path" if endpoint else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _encryption(settings: Settings) -> dict[str, str]:
    if not settings.s3_encryption:
        return {}
    key = {"SSEKMSKeyId": settings.s3_kms_key} if settings.s3_kms_key else {}
    return {"ServerSideEncryption": settings.s3_encryption, **key}


def _encryption_headers(parameters: dict[str, str]) -> dict[str, str]:
    names = {
        "ServerSideEncryption": "x-amz-server-side-encryption",
        "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    }
    return {names[name]: value for name, value in parameters.items()}


def _is(stored: dict[str, Any], part: Part) -> bool:
    return stored["Size"] == part.size_bytes and stored.get("ChecksumSHA256") in (None, _b64(part.sha256))


def _b64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _composite(artifact: Artifact) -> str:
    digests = b"".join(bytes.fromhex(part.sha256) for part in artifact.parts)
    return f"{base64.b64encode(hashlib.sha256(digests).digest()).decode()}-{len(artifact.parts)}"
