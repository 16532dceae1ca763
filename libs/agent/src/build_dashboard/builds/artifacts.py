"""Artifacts: finds the files a build produced and uploads them; an upload that broke off continues where it stopped.

The dashboard plans each upload and says where the bytes go, to itself or to its object store. Offering the same file
again is how everything is repeated: the answer asks only for what is missing.
"""

import hashlib
import os
import random
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, Any
from urllib.parse import urlsplit

import httpx

from build_dashboard.ci_key import CiKeyFailed
from build_dashboard.delivery.transport import RoutedTransport
from build_dashboard.file_search import search_files

SINGLE_BYTES = 64 * 1024 * 1024
"""Up to this one request carries a file; above it parts do."""

PART_BYTES = 16 * 1024 * 1024
PARTS_MAX = 1000
PARTS_AT_ONCE = 4
FILES_MAX = 200
ROUNDS = 5
"""Offers made of one file before it is left for the next run."""

RELAY = "gateway"
"""BUILD_DASHBOARD_UPLOADS with this value, or an object store out of reach: the dashboard passes the bytes on."""

BLOCK_BYTES = 256 * 1024
TIMEOUT = httpx.Timeout(60, connect=5)
_LATER = frozenset({408, 425, 429})


class UploadRefused(Exception):
    """The dashboard will not take this file; asking again is no use."""


class UploadLater(Exception):
    """The dashboard or its object store did not answer: another time."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a pattern matched; the name is what people see."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A file's size and SHA-256, and those of its parts when it comes in parts."""

    size_bytes: int
    sha256: str
    part_bytes: int | None
    part_sha256: tuple[str, ...]


def find(patterns: Sequence[str], directory: Path) -> tuple[list[Found], list[str]]:
    """The files below `directory` to bring, by name, and a sentence for each reason why something is left out."""
    found = search_files(patterns, directory)
    return [Found(path, _shown(name)) for name, path in found.files], list(found.left_out.sentences())


def digest(path: Path) -> Digest:
    """Read a file once, for its hash and those of its parts. Raises OSError."""
    whole, parts, read = hashlib.sha256(), [], 0
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        part_bytes = None if size <= SINGLE_BYTES else max(PART_BYTES, -(-size // PARTS_MAX))
        while piece := file.read(part_bytes or BLOCK_BYTES):
            whole.update(piece)
            read += len(piece)
            if part_bytes is not None:
                parts.append(hashlib.sha256(piece).hexdigest())
    return Digest(read, whole.hexdigest(), part_bytes, tuple(parts))


class Uploader:
    """Uploads files of one build. `progress(name, done_bytes, size_bytes)` is called from several threads."""

    def __init__(
        self,
        dashboard_url: str,
        credential: Callable[[], str],
        build: Mapping[str, Any],
        *,
        progress: Callable[[str, int, int], None],
        is_hurried: Callable[[], bool],
        pause: Callable[[float], None] = time.sleep,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._url = dashboard_url.rstrip("/")
        self._credential = credential
        self._build = {"buildId": build["buildId"], "project": build["project"]}
        self._progress = progress
        self._is_hurried = is_hurried
        self._pause = pause
        self._is_relayed = environment.get("BUILD_DASHBOARD_UPLOADS") == RELAY
        self._http = httpx.Client(timeout=TIMEOUT, transport=RoutedTransport())

    def close(self) -> None:
        """Close pooled connections."""
        self._http.close()

    def upload(self, found: Found) -> dict[str, Any]:
        """Bring one file; the data of its ARTIFACT_UPLOADED.

        Raises:
            UploadRefused: with the dashboard's own words.
            UploadLater: nobody answered, or the person is in a hurry.
        """
        problem = ""
        for attempt in range(ROUNDS):
            if attempt:
                self._pause(random.uniform(0, 2.0**attempt))  # noqa: S311  (jitter)
            if self._is_hurried():
                raise UploadLater("stopped")
            try:
                # Hashed anew in each round: a file that changed meanwhile is another artifact.
                facts = digest(found.path)
                plan = self._offer(found.name, facts)
                self._bring(found, facts, plan["puts"])
            except OSError as error:
                raise UploadRefused(f"cannot be read: {error}") from error
            except (UploadLater, httpx.HTTPError) as error:
                problem = str(error) or type(error).__name__
            else:
                return {
                    "status": "uploaded",
                    "artifactId": plan["artifactId"],
                    "name": found.name,
                    "sizeBytes": facts.size_bytes,
                    "sha256": facts.sha256,
                }
        raise UploadLater(problem)

    def _offer(self, name: str, facts: Digest) -> dict[str, Any]:
        body = {**self._build, "name": name, "sizeBytes": facts.size_bytes, "sha256": facts.sha256}
        if facts.part_bytes is not None:
            body |= {"partSizeBytes": facts.part_bytes, "partSha256": list(facts.part_sha256)}
        if self._is_relayed:
            body["via"] = RELAY
        try:
            key = {"Authorization": f"Bearer {self._credential()}"}
        except CiKeyFailed as error:
            raise UploadLater(str(error)) from error
        answer = self._http.post(f"{self._url}/api/artifacts", json=body, headers=key)
        if answer.is_success:
            return dict(answer.json())
        words = _words(answer)
        if answer.status_code >= 500 or answer.status_code in _LATER:
            raise UploadLater(words)
        raise UploadRefused(words)

    def _bring(self, found: Found, facts: Digest, puts: Sequence[Mapping[str, Any]]) -> None:
        missing = sum(put["sizeBytes"] for put in puts)
        count = _Count(facts.size_bytes - missing, lambda done: self._progress(found.name, done, facts.size_bytes))

        def bring(put: Mapping[str, Any]) -> None:
            # The key is for the dashboard alone: these addresses carry a signature of their own.
            is_elsewhere = "://" in put["url"]
            url = put["url"] if is_elsewhere else self._url + put["url"]
            headers = {**put["headers"], "content-length": str(put["sizeBytes"])}
            try:
                answer = self._http.put(url, content=self._piece(found.path, put, count), headers=headers)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
                # Only the dashboard can be reached from here: the next offer asks it to pass the bytes on.
                self._is_relayed = self._is_relayed or is_elsewhere
                raise UploadLater(f"{urlsplit(url).netloc} cannot be reached: {error}") from error
            if not answer.is_success:
                raise UploadLater(_words(answer))

        with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
            # Every part is tried before the first fault is raised: what arrived need not be sent again.
            for outcome in [threads.submit(bring, put) for put in puts]:
                outcome.result()

    def _piece(self, path: Path, put: Mapping[str, Any], count: "_Count") -> Iterator[bytes]:
        left = put["sizeBytes"]
        with _opened(path) as file:
            file.seek(put["offset"])
            while left and (block := file.read(min(BLOCK_BYTES, left))):
                if self._is_hurried():
                    raise UploadLater("stopped")
                left -= len(block)
                count.add(len(block))
                yield block


class _Count:
    """Bytes sent so far, by all threads together."""

    def __init__(self, done: int, tell: Callable[[int], None]) -> None:
        self._done = done
        self._tell = tell
        self._lock = Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._tell(self._done)


def _opened(path: Path) -> IO[bytes]:
    """The file that was found: what took its place since, a link or a pipe, is not read. Raises OSError."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is no regular file any more")
    return file


def _shown(name: str) -> str:
    # A file name may be any bytes; the wire carries text of at most 512 characters.
    return name.encode("utf-8", "backslashreplace").decode()[-512:]


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail") or answer.status_code)
    except (ValueError, AttributeError):
        return f"HTTP {answer.status_code}"
