"""Metrics of notifier, in the registry of its own app."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """What an operator watches: are verdicts read, do messages leave, and is any of them in doubt."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.verdicts = Counter("notifier_verdicts", "Verdicts read, repeated ones included.", registry=registry)
        self.claimed = Counter("notifier_claims", "Messages decided on, by rule.", ["rule"], registry=registry)
        self.settled = Counter(
            "notifier_settled", "Outcomes of sending, by channel and state.", ["channel", "state"], registry=registry
        )
        self.unknown = Counter(
            "notifier_unknown", "Messages of which nobody knows whether they arrived.", registry=registry
        )
        self.send_seconds = Histogram("notifier_send_seconds", "One try of a channel.", ["channel"], registry=registry)
        self.webhook = Counter("notifier_webhook_events", "Events of the mail provider.", ["event"], registry=registry)
