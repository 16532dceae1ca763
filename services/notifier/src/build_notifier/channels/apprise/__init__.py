"""Apprise: every chat room it knows, by URL."""

from build_notifier.channels.apprise.channel import AppriseChannel

__all__ = ["AppriseChannel"]
