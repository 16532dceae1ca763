"""Metrics of ingest, in the registry of its own app."""

from build_protocol.messages import BuildVerdict
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BATCH_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


_BUILD_BUCKETS = (60, 300, 600, 1200, 1800, 3600, 5400, 7200, 10800, 21600, 43200)
PROJECTS = 200
"""So many have series of their own: an agent names what project it likes, where its key is for all."""


class Metrics:
    """What an operator watches; `ingest_quarantined_total` above 0 is an alert."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter("ingest_records", "Records stored.", registry=registry)
        self.lines = Counter("ingest_log_lines", "Log lines stored.", registry=registry)
        self.log_bytes = Counter("ingest_log_bytes", "UTF-8 bytes of log stored.", registry=registry)
        self.duplicates = Counter("ingest_duplicates", "Records delivered again.", registry=registry)
        self.quarantined = Counter(
            "ingest_quarantined", "Records that came again with other bytes; parked.", registry=registry
        )
        self.conflicts = Counter(
            "ingest_conflicts", "Batches decided again: another writer was first.", registry=registry
        )
        self.waiting = Gauge("ingest_waiting_records", "Records beyond a hole, not stored yet.", registry=registry)
        self.lag_seconds = Gauge(
            "ingest_lag_seconds", "Age of the newest stored record by its agent's clock.", registry=registry
        )
        self.verdicts = Counter("ingest_verdicts", "Verdicts confirmed by the broker.", registry=registry)
        self.build_seconds = Histogram(
            "ingest_build_seconds",
            "How long builds of origin ci took, by their verdicts; beyond 200 projects the project is `other`.",
            ["project", "result"],
            buckets=_BUILD_BUCKETS,
            registry=registry,
        )
        self._projects: set[str] = set()
        self.unverified = Counter(
            "ingest_unverified", "Builds whose stored log differs from what their agent counted.", registry=registry
        )
        self.analysis_errors = Counter(
            "ingest_analysis_errors", "Builds whose log could not be analysed to its end.", registry=registry
        )
        self.reanalysed = Counter("ingest_reanalysed", "Logs read again by other rules.", registry=registry)
        self.archived = Counter("ingest_archived", "Logs archived and verified.", registry=registry)
        self.archive_errors = Counter(
            "ingest_archive_errors", "Attempts to archive a log that went wrong.", registry=registry
        )
        self.shards = Gauge("ingest_shards", "Shards this replica consumes.", registry=registry)
        self.batch_seconds = Histogram(
            "ingest_batch_seconds", "From a delivered batch to its commit.", buckets=_BATCH_BUCKETS, registry=registry
        )

    def judged(self, verdict: BuildVerdict) -> None:
        """A verdict that was confirmed: counted again where a later revision replaces it."""
        self.verdicts.inc()
        if verdict.data.origin != "ci" or verdict.data.duration_ms is None:
            return
        if len(self._projects) < PROJECTS:
            self._projects.add(verdict.project)
        project = verdict.project if verdict.project in self._projects else "other"
        self.build_seconds.labels(project, verdict.data.status).observe(verdict.data.duration_ms / 1000)
