"""A service's metrics for CloudWatch: lines of its log in CloudWatch's embedded metric format, one a minute.

Source: AWS, "Specification: Embedded metric format". CloudWatch Logs makes metrics of such lines by itself; nothing is
called, and a service that cannot reach AWS does not notice.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

from build_chassis.supervisor import Duty

INTERVAL_SECONDS = 60.0
METRICS_PER_LINE = 100
"""The format's limit, as that of values of one metric."""


class EmfLines:
    """What changed since the last lines: counters and histograms as what was added, gauges as they are.

    Labels are summed up, so that each name is one metric of the service, whatever its labels' values: CloudWatch is
    paid by the number of metrics. Of a gauge with labels the largest is shown.

    Args:
        namespace: CloudWatch's namespace.
        service: The one dimension.
        registry: Where the metrics are.
        now: What time it is, in milliseconds since the Unix epoch.
    """

    def __init__(self, namespace: str, service: str, registry: CollectorRegistry, now: Callable[[], int]) -> None:
        self._namespace = namespace
        self._service = service
        self._registry = registry
        self._now = now
        self._seen: dict[tuple[str, str], float] = {}

    def lines(self) -> Iterator[str]:
        """The lines for now; what they show is not shown again."""
        found = [one for metric in self._registry.collect() for one in self._values(metric)]
        for at in range(0, len(found), METRICS_PER_LINE):
            yield self._line(found[at : at + METRICS_PER_LINE])

    def _line(self, found: list[tuple[str, str, Any]]) -> str:
        names = [{"Name": name, "Unit": unit} for name, unit, _ in found]
        directive = {"Namespace": self._namespace, "Dimensions": [["service"]], "Metrics": names}
        return json.dumps(
            {
                "_aws": {"Timestamp": self._now(), "CloudWatchMetrics": [directive]},
                "service": self._service,
                **{name: value for name, _, value in found},
            }
        )

    def _values(self, metric: Metric) -> Iterator[tuple[str, str, Any]]:
        samples = [sample for sample in metric.samples if math.isfinite(sample.value)]
        if metric.type == "gauge" and samples:
            yield metric.name, _unit(metric.name), max(sample.value for sample in samples)
        elif metric.type == "counter":
            name = f"{metric.name}_total"
            total = sum(sample.value for sample in samples if sample.name == name)
            yield name, _unit(metric.name), self._added(name, "", total)
        elif metric.type == "histogram":
            yield from self._histogram(metric.name, samples)

    def _histogram(self, name: str, samples: list[Sample]) -> Iterator[tuple[str, str, Any]]:
        below: dict[float, float] = {}
        for sample in samples:
            if sample.name == f"{name}_bucket":
                bound = float(sample.labels["le"])
                below[bound] = below.get(bound, 0.0) + sample.value
        values, counts, smaller, last = [], [], 0.0, 0.0
        for bound in sorted(below):
            count = self._added(name, str(bound), below[bound] - smaller)
            smaller = below[bound]
            middle = last if math.isinf(bound) else (last + bound) / 2  # all that a bucket tells
            last = bound
            if count:
                values.append(middle)
                counts.append(count)
        if values:
            yield name, _unit(name), {"Values": values, "Counts": counts}

    def _added(self, name: str, part: str, total: float) -> float:
        before = self._seen.get((name, part), 0.0)
        self._seen[name, part] = total
        return total - before if total >= before else total


def emf_duty(lines: EmfLines, stream: IO[str] = sys.stdout) -> Duty:
    """The duty that writes them once a minute."""

    async def write() -> None:
        for line in lines.lines():
            stream.write(line + "\n")
        stream.flush()

    return Duty("write metrics for CloudWatch", write, INTERVAL_SECONDS, rests_first=True)


def _unit(name: str) -> str:
    return "Seconds" if name.endswith("_seconds") else "Bytes" if name.endswith("_bytes") else "Count"
