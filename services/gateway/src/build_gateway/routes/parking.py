"""Parked messages: admins look at what no service could handle, then replay or drop it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from build_chassis.bus import BusUnavailable, Parked, PublishFailed
from build_chassis.errors import NotFound, Unavailable
from build_protocol.model import Count, EpochMs, WireModel
from fastapi import APIRouter

from build_gateway.caller import Admin
from build_gateway.dependencies import Needs

logger = logging.getLogger("gateway")
router = APIRouter(prefix="/api/parking", tags=["parking"])


class ParkedView(WireModel):
    """A message that is set aside; one that is not `isFinal` replays itself once its service is healthy again."""

    id: str
    queue: str
    type: str
    project: str
    build_id: str | None = None
    reason: str
    attempts: Count
    replays: Count
    is_final: bool
    parked_at: EpochMs
    size_bytes: Count


class ParkedMessage(ParkedView):
    """The same with what was published; bytes that are no UTF-8 are replaced."""

    headers: dict[str, str]
    body: str


class ParkedList(WireModel):
    """What is set aside, oldest first, at most 1000 of a queue."""

    items: list[ParkedView]
    next_cursor: str | None = None


class Replayed(WireModel):
    """How many messages went back to their queues."""

    replayed: Count


@router.get("")
async def list_parked(needs: Needs, caller: Admin) -> ParkedList:  # noqa: ARG001  the role is the point
    """What is set aside."""
    with _reachable():
        return ParkedList(items=[ParkedView(**_fields(parked)) for parked in await needs.bus.parked()])


@router.get("/{parked_id}")
async def get_parked(parked_id: str, needs: Needs, caller: Admin) -> ParkedMessage:  # noqa: ARG001  as above
    """One message."""
    with _reachable():
        parked = next((one for one in await needs.bus.parked() if one.id == parked_id), None)
    if parked is None:
        raise _unknown(parked_id)
    message = parked.message
    headers = dict(message.headers)
    return ParkedMessage(**_fields(parked), headers=headers, body=message.body.decode(errors="replace"))


@router.post("/{parked_id}/replay")
async def replay(parked_id: str, needs: Needs, caller: Admin) -> Replayed:
    """Put a message back to the queue it came from; `all` puts back every one."""
    with _reachable():
        ids = [one.id for one in await needs.bus.parked()] if parked_id == "all" else [parked_id]
        moved = await needs.bus.replay_parked(ids)
    if not moved and parked_id != "all":
        raise _unknown(parked_id)
    await needs.audit.note(caller.name, "replay parked message", parked_id[:64], f"{moved} messages")
    return Replayed(replayed=moved)


@router.delete("/{parked_id}", status_code=204)
async def drop(parked_id: str, needs: Needs, caller: Admin) -> None:
    """Delete a message for good."""
    with _reachable():
        dropped = await needs.bus.drop_parked([parked_id])
    if not dropped:
        raise _unknown(parked_id)
    await needs.audit.note(caller.name, "drop parked message", parked_id[:64])


def _fields(parked: Parked) -> dict[str, object]:
    _, kind, project = (*parked.message.routing_key.split(".", 2), "", "", "")[:3]
    return {
        "id": parked.id,
        "queue": parked.queue,
        "type": kind,
        "project": project,
        "build_id": parked.message.headers.get("build_id"),
        "reason": parked.reason,
        "attempts": parked.attempts,
        "replays": parked.replays,
        "is_final": parked.is_final,
        "parked_at": parked.parked_at,
        "size_bytes": len(parked.message.body),
    }


def _unknown(parked_id: str) -> NotFound:
    return NotFound(f"no parked message {parked_id[:64]}", remedy="`build-dashboard parking list` names them.")


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except (BusUnavailable, PublishFailed) as error:
        logger.warning("cannot reach what is parked: %s", error)
        raise Unavailable("the bus does not answer, so that what is parked cannot be reached now") from error
