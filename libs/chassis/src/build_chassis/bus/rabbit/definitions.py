"""The topology and its policies as a RabbitMQ definitions file: `python -m build_chassis.bus.rabbit.definitions`.

For operators who declare everything themselves and give services no right to; tuned numbers are changed there. With
`RABBITMQ_GATEWAY_PASSWORD` and so on set, the services' users are in it, each with its least rights; with `--template`
as well, `@RABBITMQ_GATEWAY_PASSWORD@` and so on standing for their passwords.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from build_protocol import topology as names

from build_chassis.bus.rabbit import declare
from build_chassis.bus.rabbit.rights import RIGHTS

VHOST = "/"


def definitions(passwords: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `rabbitmqctl import_definitions` takes; with passwords by service also the services' users and rights."""
    return _topology() | (_users(passwords) if passwords else {})


def passwords_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Passwords by service, of `RABBITMQ_<SERVICE>_PASSWORD`. Raises ValueError unless all are set, or none is."""
    names = {service: f"RABBITMQ_{service.upper()}_PASSWORD" for service in RIGHTS}
    found = {service: environment[name] for service, name in names.items() if environment.get(name)}
    if found and (missing := [names[service] for service in names if service not in found]):
        raise ValueError(f"set {', '.join(missing)} as well: every service has a user of its own, or none has")
    return found


def template() -> dict[str, Any]:
    """The definitions with the services' users, for whoever fills in their passwords."""
    return definitions({service: f"@RABBITMQ_{service.upper()}_PASSWORD@" for service in RIGHTS})


def _users(passwords: Mapping[str, str]) -> dict[str, Any]:
    return {
        "users": [{"name": name, "password": passwords[name], "tags": ""} for name in RIGHTS],
        "permissions": [
            {
                "user": name,
                "vhost": VHOST,
                "configure": rights.configure,
                "write": rights.write,
                "read": rights.read,
            }
            for name, rights in RIGHTS.items()
        ],
        "topic_permissions": [
            {"user": name, "vhost": VHOST, "exchange": exchange, "write": keys, "read": ".*"}
            for name, rights in RIGHTS.items()
            for exchange, keys in rights.keys.items()
        ],
    }


def _topology() -> dict[str, Any]:
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
    print(json.dumps(template() if "--template" in sys.argv else definitions(passwords_of(os.environ)), indent=2))
