"""Metrics on a listener of their own: whoever reaches the dashboard does not reach what its operators watch."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from socket import create_connection
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector
from typing_extensions import override

log = logging.getLogger(__name__)

ABOVE = 1000
"""The listener's port is so far above the service's, or below it where there is none."""


class ServiceMetrics(Collector):
    """The metrics of several services in one process, each with a label `service`."""

    def __init__(self, registries: Mapping[str, CollectorRegistry]) -> None:
        self._registries = registries

    @override
    def collect(self) -> Iterable[Metric]:
        """One family for each name, whichever services have it."""
        families: dict[str, Metric] = {}
        for service, registry in self._registries.items():
            for metric in registry.collect():
                family = families.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type, metric.unit)
                )
                for sample in metric.samples:
                    family.samples.append(sample._replace(labels={"service": service, **sample.labels}))
        return families.values()


def registry_of(registries: Mapping[str, CollectorRegistry]) -> CollectorRegistry:
    """One registry for these services' metrics; a single service's own needs no label."""
    if len(registries) == 1:
        return next(iter(registries.values()))
    together = CollectorRegistry()
    together.register(ServiceMetrics(registries))
    return together


def port_beside(port: int) -> int:
    """The listener's port where none was chosen."""
    return port + ABOVE if port + ABOVE <= 65535 else port - ABOVE


def _end(server: WSGIServer, thread: Thread) -> None:
    """Its loop looks up twice a second, and whenever somebody connects: a stop does not wait for it."""
    asking = Thread(target=server.shutdown)
    asking.start()
    while thread.is_alive():
        with suppress(OSError), create_connection(server.server_address[:2], timeout=0.1):  # type: ignore[arg-type]  # a host
            pass
        thread.join(0.01)
    asking.join()


@contextmanager
def metrics_served(registries: Mapping[str, CollectorRegistry], host: str, port: int) -> Iterator[None]:
    """`http://host:port/metrics` answers while the context lasts; a port that is taken costs the metrics only."""
    try:
        server, thread = start_http_server(port, host, registry_of(registries))
    except OSError as error:
        log.warning("serve no metrics: port %d of %s: %s", port, host, error)
        yield
        return
    log.info("metrics at http://%s:%d/metrics", host, port)
    try:
        yield
    finally:
        _end(server, thread)
        server.server_close()
