"""The artifacts service and its object store, as ingest uses them: the one place that calls them over HTTP.

What does not go well now is StoreUnavailable: whoever works the list of archives comes again.
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import httpx
from build_chassis import tls
from build_chassis.auth import Principal
from build_chassis.errors import StoreUnavailable
from build_chassis.service_client import NO_HEADERS, Answer, ServiceClient, ServiceUnavailable
from build_protocol.views import Build

NAME = "build.log.zst"
WHOLE_BYTES = 16 * 1024 * 1024
"""Up to this one request carries an archive; above it parts do, one in memory at a time."""

PART_BYTES = 8 * 1024 * 1024
PARTS_MAX = 1000
LINK_MARGIN_SECONDS = 5.0
"""A link is not used in the last seconds of its life."""

LINKS_KEPT = 100
_NOT_THERE = (404, 409, 410)
"""Unknown, not verified, damaged."""

TIMEOUT = httpx.Timeout(60, connect=5)

_INGEST = Principal("ingest", "developer", None, kind="service")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the artifacts service answered to an offer."""

    artifact_id: str
    puts: list[dict[str, Any]]


class ArtifactsClient:
    """Brings archives to the artifacts service and reads ranges of them."""

    def __init__(self, artifacts: ServiceClient) -> None:
        self._artifacts = artifacts
        self._links: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._http = httpx.AsyncClient(timeout=TIMEOUT, verify=tls.trusted())

    async def close(self) -> None:
        """Close pooled connections."""
        await self._http.aclose()

    async def offer(self, build: Build, file: BinaryIO) -> Plan:
        """Ask to bring a build's archive; the same bytes offered again continue. Raises StoreUnavailable."""
        request = {"buildId": build.id, "project": build.project, "name": NAME, "contentType": "application/zstd"}
        body = json.dumps(request | _content(file)).encode()
        answer = await self._ask("POST", "/api/artifacts", body=body, headers={"content-type": "application/json"})
        plan = json.loads(answer.body)
        return Plan(plan["artifactId"], plan["puts"])

    async def put(self, put: dict[str, Any], piece: bytes) -> None:
        """Make one request of a plan. Raises StoreUnavailable."""
        if "://" not in put["url"]:
            await self._ask("PUT", put["url"], body=piece, headers=put["headers"])
            return
        try:
            answer = await self._http.put(put["url"], content=piece, headers=put["headers"])
        except httpx.TransportError as error:
            raise StoreUnavailable("archive", error) from error
        _must_succeed(Answer(answer.status_code, {}, answer.content), "PUT")

    async def verify(self, artifact_id: str) -> None:
        """Every request was made: have it verified. Raises StoreUnavailable unless it is."""
        answer = await self._ask("POST", f"/api/artifacts/{artifact_id}/verify")
        found = json.loads(answer.body)
        if found["state"] != "verified":
            raise StoreUnavailable("archive", f"artifact {artifact_id} is {found['state']}: {found.get('problem')}")

    async def holds(self, artifact_id: str) -> bool:
        """Whether its bytes are there now, and the verified ones. Raises StoreUnavailable."""
        return (await self._ask("GET", f"/api/artifacts/{artifact_id}/link", may_miss=True)).status == 200

    async def expire(self, artifact_id: str) -> None:
        """It is needed no longer. Raises StoreUnavailable; repeating it is the same."""
        await self._ask("DELETE", f"/api/artifacts/{artifact_id}", may_miss=True)

    async def read(self, artifact_id: str, begin: int, end: int) -> bytes:
        """Bytes `begin` to `end` (exclusive) of the file. Raises StoreUnavailable."""
        url = await self._link(artifact_id)
        try:
            answer = await self._get(url, {"range": f"bytes={begin}-{end - 1}"})
            if answer.status != 206 or len(answer.body) != end - begin:
                raise StoreUnavailable("archive", f"{answer.status} with {len(answer.body)} of {end - begin} bytes")
        except StoreUnavailable:
            # By the object store's clock the link may be over.
            self._links.pop(artifact_id, None)
            raise
        return answer.body

    async def _get(self, url: str, headers: Mapping[str, str]) -> Answer:
        if "://" not in url:
            return await self._ask("GET", url, headers=headers)
        try:
            got = await self._http.get(url, headers=headers)
        except httpx.TransportError as error:
            raise StoreUnavailable("archive", error) from error
        return _must_succeed(Answer(got.status_code, {}, got.content), "GET")

    async def _link(self, artifact_id: str) -> str:
        url, expires_at = self._links.get(artifact_id, ("", 0.0))
        if time.time() < expires_at - LINK_MARGIN_SECONDS:
            return url
        link = json.loads((await self._ask("GET", f"/api/artifacts/{artifact_id}/link")).body)
        self._links[artifact_id] = (link["url"], link["expiresAt"] / 1000)
        self._links.move_to_end(artifact_id)
        while len(self._links) > LINKS_KEPT:
            self._links.popitem(last=False)
        return str(link["url"])

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = NO_HEADERS,
        may_miss: bool = False,
    ) -> Answer:
        try:
            answer = await self._artifacts.call(method, path, _INGEST, body=body, headers=headers)
        except ServiceUnavailable as error:
            raise StoreUnavailable("archive", error) from error
        return answer if may_miss and answer.status in _NOT_THERE else _must_succeed(answer, f"{method} {path[:80]}")


def _must_succeed(answer: Answer, request: str) -> Answer:
    if 200 <= answer.status < 300:
        return answer
    raise StoreUnavailable("archive", f"{answer.status} to {request}: {answer.body[:300].decode(errors='replace')}")


def _content(file: BinaryIO) -> dict[str, Any]:
    """Size and hashes of the file, as an offer names them."""
    size = file.seek(0, 2)
    part_bytes = None if size <= WHOLE_BYTES else max(PART_BYTES, -(-size // PARTS_MAX))
    whole, parts = hashlib.sha256(), []
    file.seek(0)
    while piece := file.read(part_bytes or PART_BYTES):
        whole.update(piece)
        parts.append(hashlib.sha256(piece).hexdigest())
    content = {"sizeBytes": size, "sha256": whole.hexdigest()}
    return content if part_bytes is None else content | {"partSizeBytes": part_bytes, "partSha256": parts}
