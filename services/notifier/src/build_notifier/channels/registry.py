"""Which channels there are; the one place that names them all."""

import logging
from collections.abc import Mapping

from build_chassis.projects import Projects
from build_protocol.project_config import Project

from build_notifier.channels.apprise import APPRISE
from build_notifier.channels.contract import ANY_OTHER, Audience, Channel, Recipient, Registration
from build_notifier.channels.github import CHECKS, COMMENTS, STATUSES
from build_notifier.channels.sendgrid import SENDGRID
from build_notifier.channels.smtp import SMTP
from build_notifier.settings import Settings

log = logging.getLogger("notifier")

CHANNELS = (SENDGRID, SMTP, APPRISE, STATUSES, CHECKS, COMMENTS)
"""Of two under one name the first that can be opened is used."""

BY_NAME: Mapping[str, Registration] = {known.name: known for known in reversed(CHANNELS)}


def open_channels(settings: Settings, projects: Projects) -> dict[str, Channel]:
    """The configured channels by name; they connect on first use."""
    for variable in settings.placeholders:
        log.warning("%s is a placeholder from an example: it counts as not set", variable)
    opened: dict[str, Channel] = {}
    for known in CHANNELS:
        channel = None if known.name in opened else known.open(settings, projects)
        if channel is not None:
            opened[known.name] = channel
    return opened


def lacking(name: str) -> str:
    """Why nothing is sent through the channel of this name where it is not opened."""
    return f"no channel configured: {BY_NAME[name].lacking}" if name in BY_NAME else f"no channel is called {name}"


def label(name: str) -> str:
    """What pages call the channel of this name, also one that no longer exists."""
    return BY_NAME[name].label if name in BY_NAME else name


def reached(project: Project, audience: Audience) -> list[Recipient]:
    """The project's `channels` with this audience, in the order in which config.yaml has them."""
    return [
        Recipient(known.name, known.address(url))
        for url in project.channels
        for known in _claiming(url)
        if known.audience == audience
    ]


def _claiming(url: str) -> list[Registration]:
    """The channels that this URL is for."""
    scheme = url.partition(":")[0].lower()
    named = [known for known in CHANNELS if scheme in known.schemes]
    return named or [known for known in CHANNELS if ANY_OTHER in known.schemes]
