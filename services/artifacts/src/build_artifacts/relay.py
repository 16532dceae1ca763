"""The relay: passes uploads on to the object store for agents that can reach only the dashboard.

It keeps nothing: an errand is a request of a plan, signed into the address that the agent gets instead.
"""

from collections.abc import AsyncIterator

import httpx
from build_chassis.errors import StoreUnavailable

from build_artifacts.artifact import Artifact
from build_artifacts.objects import NotWhole, Put
from build_artifacts.objects.directory import ROUTE
from build_artifacts.objects.streams import whole
from build_artifacts.objects.ticket import Tickets

TIMEOUT = httpx.Timeout(60, connect=5)


class Relay:
    """Makes errands and runs them."""

    def __init__(self, tickets: Tickets, seconds: int) -> None:
        self._tickets = tickets
        self._seconds = seconds
        self._http = httpx.AsyncClient(timeout=TIMEOUT)

    async def close(self) -> None:
        """Close pooled connections."""
        await self._http.aclose()

    def errand(self, artifact: Artifact, put: Put) -> Put:
        """The request to make here instead of this one; an address of ours stays."""
        if "://" not in put.url:
            return put
        piece = artifact.parts[put.part - 1] if put.part else artifact
        ticket = self._tickets.issue("relay", artifact.id, piece, self._seconds, url=put.url, headers=put.headers)
        return put.model_copy(update={"url": ROUTE + ticket, "headers": {}})

    async def run(self, text: str, body: AsyncIterator[bytes]) -> None:
        """Bring the bytes; the object store refuses others than were promised.

        Raises:
            BadTicket: not an errand of ours, or too late.
            NotWhole: these are not the bytes promised, or the store knows the upload no more.
            StoreUnavailable: the store does not answer.
        """
        errand = self._tickets.read(text, "relay")
        headers = {**errand.headers, "content-length": str(errand.size_bytes)}
        try:
            answer = await self._http.put(errand.url, content=whole(body, errand.size_bytes), headers=headers)
        except httpx.HTTPError as error:
            raise StoreUnavailable("objects", error) from error
        if answer.status_code >= 500:
            raise StoreUnavailable("objects", f"HTTP {answer.status_code}")
        if not answer.is_success:
            raise NotWhole(f"the object store refused the bytes (HTTP {answer.status_code})")
