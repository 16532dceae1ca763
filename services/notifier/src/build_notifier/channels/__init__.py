"""Channels: one folder each, all alike: `send` a notification, or raise `NotSent` saying whether to try again.

A new channel starts as a copy of the nearest one; `channels/wiring.py` names it.
"""

from build_notifier.channels.contract import Channel, NotApplicable, NotSent

__all__ = ["Channel", "NotApplicable", "NotSent"]
