"""API Gateway's own side of a connection, `@connections`: what is posted there reaches the client. By boto3."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from build_gateway.socket import SEND_SECONDS, SocketGone

THREADS = 32
THROTTLED = ("LimitExceededException", "TooManyRequestsException", "ThrottlingException")
AGAIN_SECONDS = 0.05


class Connections(Protocol):
    """What can be done to connections of an API Gateway."""

    async def post(self, connection_id: str, text: str) -> None:
        """Send one message. Raises SocketGone where the client is gone, or is not reached within ten seconds."""
        ...

    async def delete(self, connection_id: str) -> None:
        """End a connection; one that is gone already is one that has ended."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class ManagementApi:
    """`@connections` of one stage, by boto3, beside the event loop."""

    def __init__(self, url: str) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "apigateway")
        self._client: Any = boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=url,
            region_name=_region(url),
            # Repeated here, within the time that one message has, and not by rules of boto3's own.
            config=Config(
                max_pool_connections=THREADS,
                connect_timeout=3,
                read_timeout=SEND_SECONDS,
                retries={"total_max_attempts": 1},
            ),
        )

    async def post(self, connection_id: str, text: str) -> None:
        """Send one message. Raises SocketGone where the client is gone, or is not reached within ten seconds."""
        await self._call(lambda: self._client.post_to_connection(ConnectionId=connection_id, Data=text.encode()))

    async def delete(self, connection_id: str) -> None:
        """End a connection; one that is gone already is one that has ended."""
        try:
            await self._call(lambda: self._client.delete_connection(ConnectionId=connection_id))
        except SocketGone:
            return

    async def close(self) -> None:
        """Let go of the threads, once they are done."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _call(self, call: Callable[[], Any]) -> None:
        wait = AGAIN_SECONDS
        try:
            async with asyncio.timeout(SEND_SECONDS):
                while not await self._is_taken(call):
                    await asyncio.sleep(wait)
                    wait *= 2
        except TimeoutError as error:
            raise SocketGone("API Gateway did not take a message within ten seconds") from error

    async def _is_taken(self, call: Callable[[], Any]) -> bool:
        """Try once; False where trying again may help. Raises SocketGone where it does not."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            if error.response["Error"]["Code"] not in THROTTLED and status < 429:
                raise SocketGone(str(error)) from error
            return False
        except BotoCoreError:
            return False  # it did not answer: perhaps the next time
        return True


def _region(url: str) -> str:
    """Of `https://ID.execute-api.REGION.amazonaws.com/STAGE`, which requests are signed for."""
    parts = url.partition("://")[2].split(".")
    return parts[2] if len(parts) > 2 and parts[1] == "execute-api" else "us-east-1"
