"""Channels: one module each, all alike: `send` a notification, or raise `NotSent`, which knows whether to try again.

A new channel starts as a copy of the nearest one: its module, its test beside it, a line in `registry`. What needs
several modules is a package.
"""

from build_notifier.channels.contract import Channel, NotApplicable, NotSent

__all__ = ["Channel", "NotApplicable", "NotSent"]
