"""Names on the broker, and the one table of who listens to what. Adding a service is adding a queue here."""

from collections.abc import Mapping
from dataclasses import dataclass

from build_protocol.ids import SHARDS, shard_of, shard_of_branch

EXCHANGE = "builds"
"""Topic exchange; routing key `<shard>.<type>.<project>`."""

DEAD_EXCHANGE = "builds.dead"
"""Fanout exchange of what no handler can answer; the queue `parking` keeps it for a person."""

PARKING_QUEUE = "parking"

RETURNED_EXCHANGE = "builds.returned"
"""Direct exchange of what exceeded its delivery limit, by the name of its queue; it replays itself after an outage."""

REPLAY = "replay"
"""First word of a routing key that leads to one queue only: `replay.<queue>.<the key it had>`."""

LIVE_EXCHANGE = "builds.live"
"""Topic exchange of what ingest has stored: `build.<project>.<id>`, `log.<project>.<id>`, `stored.<project>.<id>`."""

CONTROL_EXCHANGE = "builds.control"
"""Fanout exchange to all gateways: revocations, waiting commands, newer connections."""

DELIVERY_LIMIT = 50
MAX_QUEUE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, the kinds of messages that fill it, and whether one consumer at a time keeps its order.

    A name has two words: the service that consumes it, and which of its queues it is.
    """

    name: str
    kinds: tuple[str, ...]
    single_active: bool = False

    @property
    def bindings(self) -> tuple[str, ...]:
        """The binding keys: its kinds, and what is replayed to it alone."""
        return (*self.kinds, f"{REPLAY}.{self.name}.#")


def queue_name(service: str) -> str:
    """The name of a service's one durable queue: `history.builds`."""
    return f"{service}.{EXCHANGE}"


def ingest_queue(shard: int) -> str:
    """The name of the queue of one ingest shard (0 to `SHARDS` - 1)."""
    return f"ingest.{shard}"


INGEST_TYPES = (
    "BUILD_START",
    "BUILD_UPDATE",
    "BUILD_LOG",
    "BUILD_COMPLETE",
    "ARTIFACT_UPLOADED",
    "ARTIFACT_READY",
    "BUILD_HEARTBEAT",
)

PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "gateway": tuple(kind for kind in INGEST_TYPES if kind != "ARTIFACT_READY"),
    "ingest": ("BUILD_VERDICT", "BUILD_FAILING"),
    "artifacts": ("ARTIFACT_READY",),
    "history": ("INCIDENT_CHANGED",),
    "notifier": (),
}
"""What each service publishes on `builds`: nobody else's is believed."""

QUEUES: tuple[Queue, ...] = (
    *(
        Queue(ingest_queue(shard), tuple(f"{shard}.{kind}.#" for kind in INGEST_TYPES), single_active=True)
        for shard in range(SHARDS)
    ),
    # One consumer at a time: what happened to a branch is notified in the order in which history decided it.
    Queue(queue_name("notifier"), ("*.INCIDENT_CHANGED.#", "*.BUILD_VERDICT.#"), single_active=True),
    Queue(queue_name("history"), ("*.BUILD_START.#", "*.BUILD_VERDICT.#", "*.BUILD_FAILING.#")),
    Queue(queue_name("artifacts"), ("*.ARTIFACT_UPLOADED.#", "*.BUILD_VERDICT.#")),
)


SERVICES: tuple[str, ...] = tuple(dict.fromkeys(queue.name.split(".", 1)[0] for queue in QUEUES))
"""The services that consume."""


def queues_of(service: str) -> tuple[Queue, ...]:
    """The queues a service consumes."""
    return tuple(queue for queue in QUEUES if queue.name.split(".", 1)[0] == service)


def returned_queue(service: str) -> str:
    """The name of the queue of what came back too often to a service: `history.returned`."""
    return f"{service}.returned"


def replay_key(queue: str, key: str) -> str:
    """The routing key that leads a message to one queue only, whatever else takes its own key."""
    return f"{REPLAY}.{queue}.{original_key(key)}"


def original_key(key: str) -> str:
    """The routing key that a message was published with first, however often it was replayed."""
    return key.split(".", 3)[3] if key.startswith(f"{REPLAY}.") else key


def routing_key(message_type: str, build_id: str, project: str) -> str:
    """The key under which a message is published: `<shard>.<type>.<project>`.

    Every message of a build goes to one shard, in order.

    Args:
        message_type: The message's `type`, as `BUILD_START`.
        build_id: The build's whole id, which decides the shard.
        project: The build's project.
    """
    return f"{shard_of(build_id)}.{message_type}.{project}"


def branch_routing_key(message_type: str, project: str, branch: str | None) -> str:
    """`<shard>.<type>.<project>`: every message of a branch goes to one shard, in order."""
    return f"{shard_of_branch(project, branch)}.{message_type}.{project}"


def live_key(kind: str, project: str, build_id: str) -> str:
    """The key under which something stored is announced on `builds.live`: `<kind>.<project>.<id>`.

    Args:
        kind: `build`, `log` or `stored`.
        project: The build's project; its dots are replaced by `_`, because a dot separates words.
        build_id: The build's whole id.
    """
    return f"{kind}.{project.replace('.', '_')}.{build_id}"


def publisher_of(key: str) -> str | None:
    """The service whose messages have this routing key on `builds`; None for a type that no service publishes."""
    kind = key.split(".", 2)[1] if "." in key else ""
    return next((service for service, kinds in PUBLISHED.items() if kind in kinds), None)


def matches(binding: str, key: str) -> bool:
    """Whether a topic binding takes a routing key.

    Args:
        binding: Words separated by dots; `*` stands for one word, `#` for any number of them.
        key: The routing key.
    """
    return _match(binding.split("."), key.split("."))


def _match(binding: list[str], key: list[str]) -> bool:
    if not binding:
        return not key
    if binding[0] == "#":
        return any(_match(binding[1:], key[skip:]) for skip in range(len(key) + 1))
    return bool(key) and binding[0] in ("*", key[0]) and _match(binding[1:], key[1:])
