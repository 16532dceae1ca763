"""What the gateway counts, in its own registry: several services may share one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters and gauges of one gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.agents = Gauge("gateway_agents", "Agent sessions connected now", registry=registry)
        self.viewers = Gauge("gateway_viewers", "Viewer sessions connected now", registry=registry)
        self.inflight_bytes = Gauge("gateway_inflight_bytes", "Bytes handed to the bus, unconfirmed", registry=registry)
        self.records = Counter("gateway_records", "Records admitted", registry=registry)
        self.record_bytes = Counter("gateway_record_bytes", "Bytes of admitted frames", registry=registry)
        self.refused = Counter("gateway_refused", "Refusals sent to agents", ["code"], registry=registry)
        self.unknown_frames = Counter("gateway_unknown_frames", "Frames of unknown type, ignored", registry=registry)
        self.live_events = Counter("gateway_live_events", "Events received from ingest", ["kind"], registry=registry)
        self.resyncs = Counter("gateway_resyncs", "RESYNC frames sent to viewers", registry=registry)
        self.parked_messages = Gauge(
            "parked_messages", "Messages set aside, for a person or until they replay themselves", registry=registry
        )
        self.queue_messages = Gauge(
            "queue_messages", "Messages that wait in a work queue, at most 20,000 counted", ["queue"], registry=registry
        )
        self.clock_skew_seconds = Histogram(
            "gateway_agent_clock_skew_seconds",
            "How far an agent's wall clock is from ours, either way, at each of its connections",
            buckets=(0.1, 0.5, 1, 5, 30, 60, 300, 3600, 86400),
            registry=registry,
        )
        self.logins = Counter("gateway_logins", "Login attempts", ["outcome"], registry=registry)
