"""Bytes in a directory, for a system without S3: tickets instead of presigned URLs, redeemed at this service's routes.

`objects/<id>` is an artifact, `parts/<upload>/<number>` a part, `arriving/` what is being written. Names of files are
ids we made. A file appears at its place whole, synced, and with the promised hash, or not at all.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import uuid4

from build_chassis.errors import StoreUnavailable
from build_chassis.private_files import private_directory
from typing_extensions import override

from build_artifacts.artifact import Artifact, Part
from build_artifacts.objects.contract import NotWhole, Objects, Put, UploadGone
from build_artifacts.objects.streams import whole
from build_artifacts.objects.ticket import Ticket, Tickets

ROUTE = "/api/artifacts/objects/"
_BLOCK = 1024 * 1024
_PROBE_BYTES = 4096
"""A block of most file systems: what an empty file takes a full disk still has."""

T = TypeVar("T")


class DirectoryObjects(Objects):
    """Bytes below one directory of a local file system."""

    def __init__(self, root: Path, secret: str) -> None:
        self._objects = root / "objects"
        self._parts = root / "parts"
        self._arriving = root / "arriving"
        self.tickets = Tickets(secret)

    @property
    @override
    def address(self) -> str | None:
        """The dashboard's own."""
        return None

    @override
    async def open(self) -> None:
        """Make the directories; what a crash left arriving is removed by `sweep`."""
        await self._run(self._make)

    @override
    async def close(self) -> None:
        """Nothing is held."""

    @override
    async def ping(self) -> None:
        await self._run(self._probe)

    @override
    async def begin(self, artifact: Artifact) -> str:
        upload_id = uuid4().hex
        await self._run((self._parts / upload_id).mkdir)
        return upload_id

    @override
    async def plan(self, artifact: Artifact, seconds: int, *, is_inside: bool = False) -> list[Put]:
        """Tickets for what is missing. Raises UploadGone."""
        if not artifact.upload_id:
            return [self._put(artifact, None, seconds)]
        there = await self._run(lambda: self._sizes(artifact.upload_id or ""))
        return [
            self._put(artifact, part, seconds) for part in artifact.parts if there.get(part.number) != part.size_bytes
        ]

    @override
    async def seal(self, artifact: Artifact) -> str:
        return await self._run(lambda: self._seal(artifact))

    @override
    async def check(self, artifact: Artifact) -> str:
        return await self._run(lambda: self._check(artifact))

    @override
    async def link(self, artifact: Artifact, seconds: int) -> str | None:
        """Files are read from here only."""
        return None

    @override
    async def read(self, artifact: Artifact, begin: int, end: int) -> AsyncGenerator[bytes]:
        file = await self._run(lambda: self._open(artifact))
        return self._blocks(artifact, file, begin, end)

    @override
    async def drop(self, artifact: Artifact) -> None:
        def drop() -> None:
            (self._objects / artifact.id).unlink(missing_ok=True)
            if artifact.upload_id:
                shutil.rmtree(self._parts / artifact.upload_id, ignore_errors=True)

        await self._run(drop)

    @override
    async def sweep(self, before_at: int) -> int:
        """Remove uploads and unfinished files that nobody wrote to since."""

        def sweep() -> int:
            old = [
                path
                for parent in (self._parts, self._arriving)
                for path in parent.iterdir()
                if path.stat().st_mtime * 1000 < before_at
            ]
            for path in old:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            return len(old)

        return await self._run(sweep)

    async def receive(self, ticket: Ticket, body: AsyncIterator[bytes]) -> None:
        """Write the bytes a ticket is for; raises NotWhole when they are others, UploadGone."""
        arriving = self._arriving / uuid4().hex
        with self._available():
            try:
                with arriving.open("wb") as file:
                    async for chunk in whole(body, ticket.size_bytes, ticket.sha256):
                        await asyncio.to_thread(file.write, chunk)
                    await asyncio.to_thread(_sync, file)
                await asyncio.to_thread(_place, arriving, self._place_of(ticket))
            finally:
                arriving.unlink(missing_ok=True)

    def _put(self, artifact: Artifact, part: Part | None, seconds: int) -> Put:
        piece, number = (part or artifact), (part.number if part else None)
        beside = {"upload_id": artifact.upload_id, "part": number}
        url = ROUTE + self.tickets.issue("put", artifact.id, piece, seconds, **beside)
        return Put(part=number, offset=part.offset if part else 0, size_bytes=piece.size_bytes, url=url, headers={})

    def _place_of(self, ticket: Ticket) -> Path:
        if ticket.upload_id is None:
            return self._objects / ticket.key
        directory = self._parts / ticket.upload_id
        if not directory.is_dir():
            raise UploadGone(f"upload of {ticket.key}")
        return directory / str(ticket.part)

    def _make(self) -> None:
        for directory in (self._objects, self._parts, self._arriving):
            private_directory(directory)

    def _probe(self) -> None:
        self._make()
        probe = self._arriving / f"probe-{uuid4().hex}"
        try:
            with probe.open("wb") as file:
                file.write(bytes(_PROBE_BYTES))
                _sync(file)
        finally:
            probe.unlink(missing_ok=True)

    def _sizes(self, upload_id: str) -> dict[int, int]:
        try:
            return {int(path.name): path.stat().st_size for path in (self._parts / upload_id).iterdir()}
        except FileNotFoundError as error:
            raise UploadGone(upload_id) from error

    def _seal(self, artifact: Artifact) -> str:
        try:
            receipt = self._check(artifact)
        except NotWhole:
            # Nothing is there yet, or what is there got damaged since and comes anew.
            if not artifact.upload_id:
                raise
            self._join(artifact, self._objects / artifact.id)
            receipt = self._check(artifact)
        if artifact.upload_id:
            shutil.rmtree(self._parts / artifact.upload_id, ignore_errors=True)
        return receipt

    def _check(self, artifact: Artifact) -> str:
        with self._file(artifact) as file:
            receipt = _receipt(file)
            if receipt != artifact.receipt:
                size = os.fstat(file.fileno()).st_size
                if size != artifact.size_bytes:
                    raise NotWhole(f"{size} bytes are there, not {artifact.size_bytes}")
                found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != artifact.sha256:
                    raise NotWhole(f"SHA-256 is {found}")
        return receipt

    def _open(self, artifact: Artifact) -> BufferedReader:
        file = self._file(artifact)
        if _receipt(file) != artifact.receipt:
            file.close()
            raise NotWhole("the file has changed")
        return file

    def _file(self, artifact: Artifact) -> BufferedReader:
        path = self._objects / artifact.id
        if not path.is_file():
            raise NotWhole("the bytes are not there")
        return path.open("rb")

    async def _blocks(self, artifact: Artifact, file: BufferedReader, begin: int, end: int) -> AsyncGenerator[bytes]:
        def block(left: int) -> bytes:
            read = file.read(min(_BLOCK, left))
            # Written to while it is being read: what came before is out, this is not.
            if _receipt(file) != artifact.receipt:
                raise NotWhole("the file has changed")
            return read

        with file:
            file.seek(begin)
            while begin < end and (read := await self._run(partial(block, end - begin))):
                begin += len(read)
                yield read

    def _join(self, artifact: Artifact, place: Path) -> None:
        try:
            there = self._sizes(artifact.upload_id or "")
        except UploadGone as error:
            raise NotWhole("the upload was taken back") from error
        missing = [part.number for part in artifact.parts if there.get(part.number) != part.size_bytes]
        if missing:
            raise NotWhole(f"{len(missing)} of {len(artifact.parts)} parts never arrived")
        arriving = self._arriving / uuid4().hex
        try:
            with arriving.open("wb") as file:
                for part in artifact.parts:
                    with (self._parts / str(artifact.upload_id) / str(part.number)).open("rb") as source:
                        shutil.copyfileobj(source, file, _BLOCK)
                _sync(file)
            _place(arriving, place)
        finally:
            arriving.unlink(missing_ok=True)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._available():
            return await asyncio.to_thread(work)

    @contextmanager
    def _available(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable("objects", error) from error


def _receipt(file: BufferedReader) -> str:
    """Which file it is, and when it was last written to: its change time is the kernel's own, and set by nobody."""
    stat = os.fstat(file.fileno())
    return f"{stat.st_ino}.{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ctime_ns}"


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _place(arriving: Path, place: Path) -> None:
    arriving.replace(place)
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems sync no directories
            os.fsync(directory)
    finally:
        os.close(directory)
