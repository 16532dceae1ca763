"""A trial: one message to whoever is named, through the channels as they are set up, and whether it was taken."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import uuid4

from build_chassis.projects import Projects

from build_notifier.channels.contract import NotApplicable, NotSent, Recipient
from build_notifier.channels.mail import MAIL
from build_notifier.channels.registry import lacking, open_channels, reached
from build_notifier.messages.message import Message
from build_notifier.records.notification import claim_on
from build_notifier.settings import Settings


class Outcome(NamedTuple):
    """What became of the message to one recipient."""

    recipient: Recipient
    fault: str | None
    """Why it was not taken; None where it was."""


def recipients(projects: Projects, project: str) -> list[Recipient]:
    """Whom news of this project reach: its addresses, its owners, its rooms."""
    named = projects.get(project)
    owners = [config.owner for config in named.configs.values() if config.owner]
    people = [Recipient(MAIL, address) for address in dict.fromkeys([*named.notification_emails, *owners])]
    return people + reached(named, "rooms")


async def send_trial(
    settings: Settings, projects: Projects, project: str, to: Iterable[Recipient], now_ms: int
) -> list[Outcome]:
    """Send a message to each; nothing of it is stored, and one that is sent twice arrives twice."""
    channels = open_channels(settings, projects)
    message = Message(kind="trial", project=project, at=now_ms, dashboard_url=settings.dashboard_url.rstrip("/"))
    outcomes = []
    for recipient in to:
        notification = claim_on(
            recipient, "trial", f"trial-{uuid4()}", "trial", message, project=project, now_ms=now_ms
        )
        fault = None
        try:
            if channel := channels.get(recipient.channel):
                await channel.send(notification)
            else:
                fault = lacking(recipient.channel)
        except (NotSent, NotApplicable) as error:
            fault = str(error)
        outcomes.append(Outcome(recipient, fault))
    for channel in channels.values():
        await channel.close()
    return outcomes
