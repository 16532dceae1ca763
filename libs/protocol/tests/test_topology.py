"""Topology: every message finds its queue, and a build keeps its shard."""

import uuid
from typing import get_args

import pytest
from build_protocol import ids, topology
from build_protocol.incidents import IncidentChanged
from build_protocol.messages import BuildMessage

KINDS = [model.model_fields["type"].default for model in (*get_args(get_args(BuildMessage)[0]), IncidentChanged)]
"""Every message of the exchange `builds`, as the protocol's models name it."""

BUILD = "01a20a83-9a1f-703e-bcc6-cf91ee5e8e3a"


@pytest.mark.parametrize(
    ("binding", "key", "taken"),
    [
        ("3.BUILD_LOG.#", "3.BUILD_LOG.torch-mlir", True),
        ("3.BUILD_LOG.#", "3.BUILD_LOG.a.project.with.dots", True),
        ("3.BUILD_LOG.#", "4.BUILD_LOG.torch-mlir", False),
        ("*.BUILD_VERDICT.#", "0.BUILD_VERDICT.x", True),
        ("*.BUILD_VERDICT.#", "BUILD_VERDICT.x", False),
        ("#", "anything.at.all", True),
        ("build.*.*", "build.p.id", True),
        ("build.*", "build.p.id", False),
    ],
)
def test_bindings_match_as_on_the_broker(binding: str, key: str, taken: bool) -> None:
    """`*` is one word, `#` any number, as RabbitMQ reads them: the embedded bus routes the same."""
    assert taken == topology.matches(binding, key)


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_has_a_queue_and_a_publisher(kind: str) -> None:
    """No message is published that nobody is bound to, or believed of nobody: the broker would return it."""
    key = topology.routing_key(kind, BUILD, "torch-mlir")

    assert any(topology.matches(binding, key) for queue in topology.QUEUES for binding in queue.bindings)
    assert 1 == sum(kind in kinds for kinds in topology.PUBLISHED.values())


def test_a_branch_keeps_its_order() -> None:
    """Messages of one branch share a shard, and one consumer at a time reads what history decided of them."""
    keys = {topology.branch_routing_key("INCIDENT_CHANGED", "torch-mlir", branch) for branch in ("main", "main", None)}

    assert 2 == len(keys)
    takers = [q for q in topology.QUEUES if any(topology.matches(b, k) for b in q.bindings for k in keys)]
    assert [("notifier.builds", True)] == [(queue.name, queue.single_active) for queue in takers]


def test_a_build_stays_on_its_shard() -> None:
    """The shard is part of keys already stored: it may never change."""
    assert [3, 1, 7] == [ids.shard_of(f"{name}") for name in (BUILD, "b", "c")]


def test_builds_spread_over_all_shards() -> None:
    """Eight shards share the work."""
    assert set(range(ids.SHARDS)) == {ids.shard_of(ids.new_build_id(at)) for at in range(1_000)}


def test_build_ids_are_uuid7_and_sort_by_time() -> None:
    """RFC 9562: version 7, variant 10, the time in front."""
    earlier, later = ids.new_build_id(1_700_000_000_000), ids.new_build_id(1_700_000_000_001)

    assert earlier < later
    assert 7 == uuid.UUID(earlier).version
    assert uuid.RFC_4122 == uuid.UUID(earlier).variant
    assert 1_700_000_000_000 == uuid.UUID(earlier).int >> 80
