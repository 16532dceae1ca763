"""The relay: passes uploads on to the object store for agents that can reach only the dashboard.

It stores nothing: each request of a plan is signed into the address that the agent gets instead.
"""

from collections.abc import AsyncIterator

import httpx
from build_chassis import tls
from build_chassis.errors import StoreUnavailable

from build_artifacts.artifact import Artifact
from build_artifacts.objects import NotWhole, Put
from build_artifacts.objects.directory import ROUTE
from build_artifacts.objects.streams import whole
from build_artifacts.objects.ticket import Tickets

TIMEOUT = httpx.Timeout(60, connect=5)


class Relay:
    """Signs a plan's requests into addresses of this service, and makes them when the bytes arrive."""

    def __init__(self, tickets: Tickets, seconds: int) -> None:
        self._tickets = tickets
        self._seconds = seconds
        self._http = httpx.AsyncClient(timeout=TIMEOUT, verify=tls.trusted())

    async def close(self) -> None:
        """Close pooled connections."""
        await self._http.aclose()

    def relayed(self, artifact: Artifact, put: Put) -> Put:
        """The request to make here instead of this one; an address of this service stays."""
        if "://" not in put.url:
            return put
        piece = artifact.parts[put.part - 1] if put.part else artifact
        ticket = self._tickets.issue("relay", artifact.id, piece, self._seconds, url=put.url, headers=put.headers)
        return put.model_copy(update={"url": ROUTE + ticket, "headers": {}})

    async def run(self, text: str, body: AsyncIterator[bytes]) -> None:
        """Send the bytes on; the object store refuses others than were promised.

        Raises:
            BadTicket: not signed by this service, or too late.
            NotWhole: these are not the bytes promised, or the store no longer knows the upload.
            StoreUnavailable: the store does not answer.
        """
        ticket = self._tickets.read(text, "relay")
        headers = {**ticket.headers, "content-length": str(ticket.size_bytes)}
        try:
            answer = await self._http.put(ticket.url, content=whole(body, ticket.size_bytes), headers=headers)
        except httpx.HTTPError as error:
            raise StoreUnavailable("objects", error) from error
        if answer.status_code >= 500:
            raise StoreUnavailable("objects", f"HTTP {answer.status_code}")
        if not answer.is_success:
            raise NotWhole(f"the object store refused the bytes (HTTP {answer.status_code})")
