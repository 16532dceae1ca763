"""Which gateway has which connection of an API Gateway: a DynamoDB table, or, of an only gateway, its memory."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from build_chassis.errors import StoreUnavailable

from build_gateway.apigateway.limits import LATE_SECONDS, LIFE_SECONDS


@dataclass(frozen=True, slots=True)
class Owner:
    """The gateway that has a connection, by its address for the others and the run of its process."""

    url: str
    run: str


class ConnectionTable(Protocol):
    """Connections and their owners; a row is forgotten by itself once API Gateway must have ended its connection."""

    async def put(self, connection_id: str, owner: Owner) -> None:
        """This one has it. Repeating it is harmless: a connection has one row. Raises StoreUnavailable."""
        ...

    async def owner(self, connection_id: str) -> Owner | None:
        """Who has it. Raises StoreUnavailable."""
        ...

    async def remove(self, connection_id: str) -> None:
        """Nobody has it any more; one that is not there is harmless. Raises StoreUnavailable."""
        ...


class MemoryTable:
    """Of a gateway that is the only one."""

    def __init__(self) -> None:
        self._owners: dict[str, Owner] = {}

    async def put(self, connection_id: str, owner: Owner) -> None:
        """This one has it."""
        self._owners[connection_id] = owner

    async def owner(self, connection_id: str) -> Owner | None:
        """Who has it."""
        return self._owners.get(connection_id)

    async def remove(self, connection_id: str) -> None:
        """Nobody has it any more."""
        self._owners.pop(connection_id, None)


class DynamoTable:
    """One item a connection, key `connection_id`; DynamoDB forgets it after `expires_at` (TTL, seconds)."""

    def __init__(self, name: str, endpoint: str | None = None, region: str | None = None) -> None:
        self._name = name
        self._client: Any = boto3.client("dynamodb", endpoint_url=endpoint, region_name=region)

    async def put(self, connection_id: str, owner: Owner) -> None:
        """This one has it. Raises StoreUnavailable."""
        expires = int(time.time() + LIFE_SECONDS + LATE_SECONDS)
        item = {"connection_id": {"S": connection_id}, "url": {"S": owner.url}, "run": {"S": owner.run}}
        await self._call("put_item", Item={**item, "expires_at": {"N": str(expires)}})

    async def owner(self, connection_id: str) -> Owner | None:
        """Who has it. Raises StoreUnavailable."""
        found = await self._call("get_item", Key={"connection_id": {"S": connection_id}}, ConsistentRead=True)
        item = found.get("Item")
        return None if item is None else Owner(item["url"]["S"], item["run"]["S"])

    async def remove(self, connection_id: str) -> None:
        """Nobody has it any more. Raises StoreUnavailable."""
        await self._call("delete_item", Key={"connection_id": {"S": connection_id}})

    async def _call(self, operation: str, **given: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await asyncio.to_thread(
                getattr(self._client, operation), TableName=self._name, **given
            )
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailable("connections", error) from error
        return answer
