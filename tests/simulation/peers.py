"""Services asking each other over the simulated network, and the mail server."""

import asyncio
import random
from collections.abc import Callable, Sequence
from email import message_from_bytes
from typing import Any

from build_chassis.auth import Principal
from build_chassis.service_client import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Answer,
    Headers,
    MountedServiceClient,
    ServiceUnavailable,
    _Client,
)
from fastapi import Request, Response
from simulation.machine import Process
from simulation.network import Network, Unreachable, here
from typing_extensions import override

ASKED_SECONDS = (CONNECT_SECONDS, ANSWER_SECONDS)


class RemoteServiceClient(_Client):
    """Another service, any replica of it, called as an app over the network."""

    def __init__(self, service: str, secret: str, network: Network, find: Callable[[str], Process | None]) -> None:
        super().__init__(service, secret)
        self._network = network
        self._find = find

    @override
    async def _call(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        target = self._find(self._service)

        async def work() -> Answer:
            process: Any = here()
            mounted = MountedServiceClient(self._service, process.app, self._secret)
            return await mounted._call(method, path, headers, body)

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._network.call(here(), lambda: target, work, silent_seconds=CONNECT_SECONDS)
        except (Unreachable, TimeoutError) as error:
            raise ServiceUnavailable(self._service, error) from error

    @override
    async def forward(self, request: Request, segments: Sequence[str], principal: Principal) -> Response:
        raise NotImplementedError("nobody sends a request through the gateway here")

    @override
    async def close(self) -> None:
        return


class MailServer:
    """Takes mails; what it has taken is the truth, whatever its answer was."""

    def __init__(self, network: Network, rng: random.Random, note: Callable[[str], None]) -> None:
        self.taken: list[Any] = []
        self.is_away = False
        self.loses_answers = False
        self.refuses = False
        self.was_in_doubt = False
        self.network = network
        self.note = note
        self._rng = rng

    async def connect(self) -> None:
        """Raises OSError while it is away."""
        await asyncio.sleep(0.002 + 0.01 * self._rng.random())
        if self.is_away or not self.network.passes(here().machine.name, "mail"):
            raise ConnectionRefusedError("connection refused")

    async def take(self, recipient: str, data: bytes) -> bool:
        """Take a mail; False where nobody learns of it."""
        await asyncio.sleep(0.002 + 0.05 * self._rng.random())
        self.taken.append((recipient, data))
        self.note(f"mail to {recipient}: {message_from_bytes(data)['Subject']}")
        self.was_in_doubt = self.was_in_doubt or self.loses_answers
        return not self.loses_answers
