"""The metrics, from the objects that count them; the overview's panels and the alerts, which ask for nothing else."""

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import yaml
from build_chassis.access_log import request_seconds
from build_chassis.measured_bus import measured
from build_chassis.retention_guard import RetentionGuard
from build_embedded.serve import SERVICES
from prometheus_client import CollectorRegistry

RULES = Path(__file__).parents[2] / "deploy/monitoring/prometheus/rules.yml"
EVERY = "every service"


class Metric(NamedTuple):
    """One family of series."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def series(self) -> set[str]:
        """The names that queries use."""
        if self.kind == "counter":
            return {f"{self.name}_total"}
        if self.kind == "histogram":
            return {f"{self.name}_{part}" for part in ("bucket", "sum", "count")}
        return {self.name}


class Panel(NamedTuple):
    """One picture of the overview."""

    title: str
    query: str
    unit: str = "short"


_SLOWEST = "histogram_quantile(0.95, sum by (le{by}) (rate({name}_bucket[5m])))"

PANELS = (
    Panel("Up", "up"),
    Panel("Agents and pages", "sum(gateway_agents) or vector(0)"),
    Panel("Viewers", "sum(gateway_viewers)"),
    Panel("Lines stored per second", "sum(rate(ingest_log_lines_total[5m]))"),
    Panel("Age of what is stored", "max(ingest_lag_seconds)", "s"),
    Panel("Messages waiting, by queue", "max by (queue) (queue_messages)"),
    Panel("Parked messages", "max(parked_messages)"),
    Panel("Broker's confirm, 95 %", _SLOWEST.format(by="", name="bus_publish_seconds"), "s"),
    Panel("A message in work, 95 %, by queue", _SLOWEST.format(by=", queue", name="bus_settle_seconds"), "s"),
    Panel("A batch stored, 95 %", _SLOWEST.format(by="", name="ingest_batch_seconds"), "s"),
    Panel("Requests, 95 %, by route", _SLOWEST.format(by=", route", name="http_request_seconds"), "s"),
    Panel("Requests that failed, by route", 'sum by (route) (rate(http_request_seconds_count{status="5xx"}[5m]))'),
    Panel("Messages sent, by channel and state", "sum by (channel, state) (increase(notifier_settled_total[1h]))"),
    Panel("Artifacts reported, by outcome", "sum by (outcome) (increase(artifacts_uploads_total[1h]))"),
    Panel(
        "Duration of builds, median, by project",
        _SLOWEST.replace("0.95", "0.5").format(by=", project", name="ingest_build_seconds").replace("[5m]", "[1d]"),
        "s",
    ),
    Panel("Builds by result", "sum by (result) (increase(ingest_build_seconds_count[1h]))"),
    Panel("Clock of agents, 95 %", _SLOWEST.format(by="", name="gateway_agent_clock_skew_seconds"), "s"),
    Panel("Memory of each service", 'process_resident_memory_bytes{job="services"}', "bytes"),
)


def metrics() -> dict[str, list[Metric]]:
    """Every metric of ours, by the service that has it; `EVERY`: those that all have."""
    shared = CollectorRegistry()
    request_seconds(shared)
    measured(cast("Any", None), shared)
    found = {EVERY: list(_in(shared))}
    for service in SERVICES:
        registry = CollectorRegistry()
        import_module(f"build_{service}.metrics").Metrics(registry)
        settings = SimpleNamespace(service=service, clock_confirmed_on=None)
        RetentionGuard(cast("Any", settings), cast("Any", None), cast("Any", None), registry)
        found[service] = list(_in(registry))
    return found


def metrics_section() -> str:
    """A table for each service, and the alerts."""
    parts = []
    for service, rows in metrics().items():
        lines = [f"### Of {service}", "", "| metric | type | labels | is |", "|---|---|---|---|"]
        lines += [
            f"| `{min(row.series, key=len) if row.kind != 'histogram' else row.name}` | {row.kind} "
            f"| {', '.join(f'`{label}`' for label in row.labels)} | {row.meaning} |"
            for row in sorted(rows)
        ]
        parts.append("\n".join(lines))
    lines = ["### Alerts", "", "| alert | severity | when | says |", "|---|---|---|---|"]
    for rule in alerts():
        when = f"`{rule['expr']}`" + (f" for {rule['for']}" if "for" in rule else "")
        words = re.sub(r"\{\{ *\$(?:labels\.)?(\w+) *\}\}", r"*\1*", rule["annotations"]["summary"])
        lines.append(
            f"| {rule['alert']} | {rule['labels']['severity']} | {when.replace('|', chr(92) + '|')} | {words} |"
        )
    parts.append("\n".join(lines))
    return "\n\n".join(parts)


def alerts() -> list[dict[str, Any]]:
    """The rules, as Prometheus reads them."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def overview() -> Mapping[str, Any]:
    """The overview as Grafana reads it: three panels in a row."""
    source = {"type": "prometheus", "uid": "prometheus"}
    panels = [
        {
            "id": number + 1,
            "type": "timeseries",
            "title": panel.title,
            "datasource": source,
            "gridPos": {"h": 8, "w": 8, "x": number % 3 * 8, "y": number // 3 * 8},
            "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
            "targets": [{"refId": "A", "expr": panel.query}],
        }
        for number, panel in enumerate(PANELS)
    ]
    about = {"uid": "build-dashboard", "title": "Build dashboard", "schemaVersion": 39, "refresh": "30s"}
    return {**about, "time": {"from": "now-6h", "to": "now"}, "panels": panels}


def _in(registry: CollectorRegistry) -> Iterator[Metric]:
    for collector in registry._collector_to_names:  # noqa: SLF001  the labels of a metric without a sample are nowhere else
        for family in cast("Any", collector).describe():
            labels = tuple(getattr(collector, "_labelnames", ()))
            yield Metric(family.name, family.type, labels, family.documentation.rstrip("."))
