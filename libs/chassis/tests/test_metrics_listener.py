"""Metrics on their own listener: of one service and of all in one process, and nowhere else."""

import logging
import socket
import time

import httpx
import pytest
from build_chassis.metrics_listener import metrics_served, port_beside
from build_testkit.stack import free_port
from prometheus_client import CollectorRegistry, Counter


def registry(count: int) -> CollectorRegistry:
    made = CollectorRegistry()
    Counter("builds", "Builds.", ["outcome"], registry=made).labels("good").inc(count)
    return made


def page(registries: dict[str, CollectorRegistry]) -> str:
    port = free_port()
    with metrics_served(registries, "127.0.0.1", port), httpx.Client(trust_env=False) as client:
        text = client.get(f"http://127.0.0.1:{port}/metrics").text
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as client:
        client.get(f"http://127.0.0.1:{port}/metrics")
    return text


def test_a_services_metrics_are_its_own() -> None:
    """As it counts them, without a label more."""
    assert 'builds_total{outcome="good"} 3.0' in page({"ingest": registry(3)})


def test_services_in_one_process_are_distinguished_by_a_label() -> None:
    """The same name in two of them is one family with two series."""
    text = page({"ingest": registry(3), "history": registry(5)})

    assert 'builds_total{outcome="good",service="ingest"} 3.0' in text
    assert 'builds_total{outcome="good",service="history"} 5.0' in text
    assert text.count("# TYPE builds_total counter") == 1


def test_a_port_that_is_taken_costs_the_metrics_only(caplog: pytest.LogCaptureFixture) -> None:
    """The service is served all the same, and its log says why there are none."""
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
        port = taken.getsockname()[1]
        with metrics_served({"ingest": registry(1)}, "127.0.0.1", port):
            pass

    assert f"serve no metrics: port {port} of 127.0.0.1" in caplog.text


def test_the_listener_is_beside_the_service() -> None:
    """A thousand above, or below where no such port is."""
    assert [port_beside(port) for port in (8080, 64535, 65000)] == [9080, 65535, 64000]


def test_the_listener_ends_at_once() -> None:
    """A stop waits for nothing: ten of them take half the time of ten of the server's own looks, 0.5 s apart."""
    began_at = time.monotonic()
    for _ in range(10):
        with metrics_served({"ingest": registry(1)}, "127.0.0.1", free_port()):
            pass

    assert time.monotonic() - began_at < 2.5
