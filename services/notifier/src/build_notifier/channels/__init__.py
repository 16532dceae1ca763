"""Channels: one folder each, all alike: `send` a notification, or raise `NotSent`, which knows whether to try again.

A new channel starts as a copy of the nearest one; `channels/registry.py` names it.
"""

from build_notifier.channels.contract import Channel, NotApplicable, NotSent

__all__ = ["Channel", "NotApplicable", "NotSent"]
