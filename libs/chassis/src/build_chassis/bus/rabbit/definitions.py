"""The topology and its policies as a RabbitMQ definitions file: `python -m build_chassis.bus.rabbit.definitions`.

For operators who declare everything themselves and give services no right to; tuned numbers are changed there.
"""

import json
from typing import Any

from build_protocol import topology as names

from build_chassis.bus.rabbit import declare

VHOST = "/"


def definitions() -> dict[str, Any]:
    """What `rabbitmqctl import_definitions` takes."""
    queues = [
        (names.PARKING_QUEUE, declare.parking_arguments(), names.DEAD_EXCHANGE, ("#",)),
        *(
            (
                names.returned_queue(service),
                declare.returned_arguments(),
                names.RETURNED_EXCHANGE,
                tuple(queue.name for queue in names.queues_of(service)),
            )
            for service in names.SERVICES
        ),
        *((queue.name, declare.queue_arguments(queue), names.EXCHANGE, queue.bindings) for queue in names.QUEUES),
    ]
    return {
        "vhosts": [{"name": VHOST}],
        "policies": [
            _policy("work", r"^(ingest\.\d+|[a-z]+\.builds)$", names.MAX_QUEUE_BYTES, names.DELIVERY_LIMIT),
            _policy("parking", f"^{names.PARKING_QUEUE}$", declare.PARKING_BYTES),
        ],
        "exchanges": [
            _exchange(names.EXCHANGE, "topic"),
            _exchange(names.LIVE_EXCHANGE, "topic"),
            _exchange(names.CONTROL_EXCHANGE, "fanout"),
            _exchange(names.DEAD_EXCHANGE, "fanout"),
            _exchange(names.RETURNED_EXCHANGE, "direct"),
        ],
        "queues": [
            {"name": name, "vhost": VHOST, "durable": True, "auto_delete": False, "arguments": arguments}
            for name, arguments, _, _ in queues
        ],
        "bindings": [
            {
                "source": exchange,
                "vhost": VHOST,
                "destination": name,
                "destination_type": "queue",
                "routing_key": key,
                "arguments": {},
            }
            for name, _, exchange, keys in queues
            for key in keys
        ],
    }


def _policy(name: str, pattern: str, max_bytes: int, delivery_limit: int | None = None) -> dict[str, Any]:
    definition: dict[str, Any] = {"max-length-bytes": max_bytes}
    if delivery_limit is not None:
        definition["delivery-limit"] = delivery_limit
    return {
        "vhost": VHOST,
        "name": name,
        "pattern": pattern,
        "apply-to": "queues",
        "priority": 1,
        "definition": definition,
    }


def _exchange(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": VHOST,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


if __name__ == "__main__":
    print(json.dumps(definitions(), indent=2))
