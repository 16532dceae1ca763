"""Notices: what a service stopped by itself, or cannot settle by itself, and shows until a person decides."""

from build_protocol.model import EpochMs, ShortText, Text, WireModel


class Notice(WireModel):
    """One thing that waits for a person: what happened, and what to do."""

    kind: ShortText
    service: ShortText
    text: Text
    remedy: Text
    clock_at: EpochMs | None = None


class NoticeList(WireModel):
    """What waits for a person now."""

    items: list[Notice]
