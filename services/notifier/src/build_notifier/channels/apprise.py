"""Apprise: every chat room it knows; the URLs are secrets, found in config.yaml by name when they are used."""

import asyncio
import re
from collections.abc import Callable

import apprise
from build_chassis.projects import Projects
from typing_extensions import override

from build_notifier.channels.contract import ANY_OTHER, Channel, NotSent, Registration
from build_notifier.channels.rooms import room_name, room_url
from build_notifier.messages import render
from build_notifier.records.notification import Notification
from build_notifier.settings import Settings

SEND_SECONDS = 45.0
_STATUS = re.compile(r"error[= ](\d{3})")
_KINDS = {"opened": "failure", "changed": "failure", "missing": "warning", "digest": "warning"}

Rooms = Callable[[str, str], str | None]
"""The Apprise URL of a project's room by the room's name; None when the project no longer has it."""


class AppriseChannel(Channel):
    """The channel `apprise`."""

    def __init__(self, rooms: Rooms, send_seconds: float = SEND_SECONDS) -> None:
        self._rooms = rooms
        self._send_seconds = send_seconds

    @override
    async def send(self, notification: Notification) -> str | None:
        """Post it to the room; Apprise has no id for what it posted."""
        url = self._rooms(notification.project, notification.recipient)
        if url is None:
            raise NotSent(f"config.yaml no longer has the room {notification.recipient}", permanent=True)
        caller = apprise.Apprise()
        if not caller.add(url):
            raise NotSent(f"Apprise cannot read the URL of {notification.recipient}", permanent=True)
        message = notification.message
        try:
            async with asyncio.timeout(self._send_seconds):
                result = await caller.async_notify(
                    title=message.subject, body=render.chat(message), notify_type=_KINDS.get(message.kind, "success")
                )
        except TimeoutError as error:
            raise NotSent("the room did not answer in time", ambiguous=True) from error
        if not result:
            raise _failure(" ".join(_logged(result)))
        return None

    @override
    async def close(self) -> None:
        """Nothing is pooled."""


def _logged(result: apprise.AppriseResult) -> list[str]:
    return [entry.message for room in result for attempt in room.attempts for entry in attempt.logs]


def _failure(logged: str) -> NotSent:
    """By what Apprise logged: an answer of the service, with its status, or a connection that broke somewhere."""
    match = _STATUS.search(logged)
    if match is None:
        return NotSent("Apprise: the connection failed, or the room refused without a status", ambiguous=True)
    status = int(match[1])
    is_for_now = status == 429
    return NotSent(f"the room answered {status}", permanent=status < 500 and not is_for_now, ambiguous=status >= 500)


def _open(_: Settings, projects: Projects) -> Channel:
    return AppriseChannel(lambda project, name: room_url(projects.get(project), name))


APPRISE = Registration(
    name="apprise",
    label="chat",
    audience="rooms",
    open=_open,
    lacking="name a room in config.yaml",
    schemes=frozenset({ANY_OTHER}),
    address=room_name,
)
