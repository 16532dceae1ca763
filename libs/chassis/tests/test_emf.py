"""Metrics as CloudWatch reads them from a log."""

import io
import json
from typing import Any

from build_chassis.emf import METRICS_PER_LINE, EmfLines, emf_duty
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

NOW_AT = 1_700_000_000_000


def read(lines: EmfLines) -> dict[str, Any]:
    """The values of the one line, and its declaration."""
    (line,) = lines.lines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_what_was_added_is_shown_once_and_gauges_as_they_are() -> None:
    """A counter's growth since the line before, over all its labels; of a gauge's labels the largest."""
    registry = CollectorRegistry()
    refused = Counter("gateway_refused", "r", ["code"], registry=registry)
    agents = Gauge("gateway_agents", "a", registry=registry)
    held = Gauge("held", "h", ["of"], registry=registry)
    lines = EmfLines("Builds/test", "gateway", registry, lambda: NOW_AT)
    refused.labels("a").inc(3)
    refused.labels("b").inc(2)
    agents.set(7)
    held.labels("x").set(1)
    held.labels("y").set(4)

    first = read(lines)
    refused.labels("b").inc()
    second = read(lines)

    assert (first["gateway_refused_total"], second["gateway_refused_total"]) == (5, 1)
    assert (first["gateway_agents"], second["gateway_agents"], first["held"]) == (7, 7, 4)


def test_a_line_declares_what_it_has() -> None:
    """Time, namespace, one dimension, and each metric with its unit: what the format asks for."""
    registry = CollectorRegistry()
    Gauge("ingest_lag_seconds", "l", registry=registry).set(1.5)
    Gauge("gateway_inflight_bytes", "l", registry=registry)

    found = read(EmfLines("Builds/test", "ingest", registry, lambda: NOW_AT))

    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert found["_aws"]["Timestamp"] == NOW_AT
    assert (directive["Namespace"], directive["Dimensions"], found["service"]) == (
        "Builds/test",
        [["service"]],
        "ingest",
    )
    assert directive["Metrics"] == [
        {"Name": "ingest_lag_seconds", "Unit": "Seconds"},
        {"Name": "gateway_inflight_bytes", "Unit": "Bytes"},
    ]


def test_a_histogram_is_values_with_counts() -> None:
    """Each bucket's middle and how often; beyond the last bound, that bound; nothing new, no entry."""
    registry = CollectorRegistry()
    seconds = Histogram("batch_seconds", "b", ["kind"], buckets=(1, 3), registry=registry)
    lines = EmfLines("Builds/test", "ingest", registry, lambda: NOW_AT)
    for value, kind in ((0.5, "a"), (0.6, "b"), (2, "a"), (100, "a")):
        seconds.labels(kind).observe(value)

    assert read(lines)["batch_seconds"] == {"Values": [0.5, 2.0, 3.0], "Counts": [2.0, 1.0, 1.0]}
    assert [] == list(lines.lines())


def test_what_is_no_number_is_left_out() -> None:
    """One NaN would make CloudWatch drop the line."""
    registry = CollectorRegistry()
    Gauge("odd", "o", registry=registry).set(float("nan"))
    Gauge("even", "e", registry=registry).set(2)

    found = read(EmfLines("Builds/test", "ingest", registry, lambda: NOW_AT))

    assert "odd" not in found
    assert found["even"] == 2


async def test_many_metrics_are_several_lines() -> None:
    """The format takes a hundred; none is lost, and each line is one of JSON."""
    registry = CollectorRegistry()
    for number in range(METRICS_PER_LINE + 1):
        Gauge(f"g{number}", "g", registry=registry).set(number)
    stream = io.StringIO()

    await emf_duty(EmfLines("Builds/test", "ingest", registry, lambda: NOW_AT), stream).step()

    sizes = [
        len(json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Metrics"]) for line in stream.getvalue().splitlines()
    ]
    assert sizes == [METRICS_PER_LINE, 1]
