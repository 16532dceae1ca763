"""SendGrid's signed Event Webhook: which events are SendGrid's, and what each reports of a notification. Pure."""

import base64
import binascii
import json
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from build_notifier.channels.sendgrid.channel import NOTIFICATION_ARG
from build_notifier.records.notification import Notification, State

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

_STATES: dict[str, State] = {
    "processed": "accepted",
    "deferred": "accepted",
    "delivered": "delivered",
    "bounce": "failed",
    "dropped": "failed",
}
_FINAL = frozenset({"delivered", "failed"})


class Forged(Exception):
    """Not signed by the key SendGrid shows in its settings."""


class BadKey(ValueError):
    """NOTIFIER_SENDGRID_WEBHOOK_KEY is not an ECDSA public key in base64."""


def read_key(text: str) -> ec.EllipticCurvePublicKey:
    """The verification key as SendGrid shows it; raises BadKey."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey("NOTIFIER_SENDGRID_WEBHOOK_KEY is not a public key in base64") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadKey("NOTIFIER_SENDGRID_WEBHOOK_KEY is not an ECDSA key")
    return key


def read_events(body: bytes, signature: str, timestamp: str, key: ec.EllipticCurvePublicKey) -> list[dict[str, Any]]:
    """The events of a request; raises Forged, or ValueError when SendGrid itself sent what is no list of events."""
    try:
        key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error) as error:
        raise Forged("the signature is not SendGrid's") from error
    events = json.loads(body)
    if not isinstance(events, list):
        raise ValueError("not a list of events")
    return [event for event in events if isinstance(event, dict) and isinstance(event.get(NOTIFICATION_ARG), str)]


def settled(notification: Notification, event: dict[str, Any], now_ms: int) -> Notification:
    """The notification after this event; one that was posted before, or reports nothing new, changes nothing."""
    name, event_id = str(event.get("event", "")), str(event.get("sg_event_id", ""))[:200]
    state = _STATES.get(name)
    is_repeated = event_id and any(entry.event_id == event_id for entry in notification.log)
    if state is None or is_repeated:
        return notification
    reason = str(event.get("reason") or event.get("response") or "")[:300]
    update: dict[str, object] = {}
    if notification.state not in _FINAL or (state == "failed" and notification.state == "delivered"):
        update = {"state": state, "due_at": None, "reason": reason if state == "failed" else None}
        update["provider_id"] = notification.provider_id or str(event.get("sg_message_id", ""))[:200] or None
    what = f"SendGrid: {name}" + (f" ({reason})" if reason else "")
    return notification.noting(now_ms, what, event_id or None, **update)
