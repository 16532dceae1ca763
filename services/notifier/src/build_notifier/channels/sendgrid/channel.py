"""Mails through SendGrid's v3 mail/send."""

import asyncio
import http.client
import json
import socket
import ssl
import urllib.error
from collections.abc import Mapping

from build_chassis.projects import Projects
from python_http_client.exceptions import HTTPError  # type: ignore[import-untyped]  # it ships no types
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import ClickTracking, CustomArg, Header, OpenTracking, TrackingSettings
from sendgrid.helpers.mail import Mail as SendGridMail
from typing_extensions import override

from build_notifier.channels.contract import Channel, Found, NotSent, Searchable, SearchRefused
from build_notifier.channels.mail import Mail, links_of, mail_of, registration
from build_notifier.channels.retry_after import retry_after_seconds
from build_notifier.messages.actions import NO_LINKS, ActionLinks
from build_notifier.records.notification import Notification, State
from build_notifier.settings import Settings, credential

SOCKET_SECONDS = 20.0
SEND_SECONDS = 50.0
_FOUND: Mapping[str, State] = {"processed": "accepted", "delivered": "delivered", "not_delivered": "failed"}
NOTIFICATION_ARG = "notification_id"
"""Comes back in every event SendGrid posts about the mail."""


class SendGridChannel(Channel, Searchable):
    """The channel `mail`, by SendGrid."""

    def __init__(
        self,
        api_key: str,
        sender: str,
        host: str = "https://api.sendgrid.com",
        socket_seconds: float = SOCKET_SECONDS,
        links: ActionLinks = NO_LINKS,
    ) -> None:
        self._client = SendGridAPIClient(api_key, host=host)
        self._sender = sender
        self._links = links
        self._socket_seconds = socket_seconds

    @override
    async def send(self, notification: Notification) -> str | None:
        """Send the mail; SendGrid's id of it."""
        body = _body(mail_of(notification, self._sender, self._links), notification.id)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await asyncio.to_thread(self._post, body)
        except TimeoutError as error:
            raise NotSent("SendGrid did not answer in time", ambiguous=True) from error

    @override
    async def find(self, notification: Notification) -> Found | None:
        """Ask SendGrid's activity feed, which an account may not have."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await asyncio.to_thread(self._search, notification.id)
        except TimeoutError as error:
            raise SearchRefused("SendGrid did not answer in time", is_final=False) from error

    @override
    async def close(self) -> None:
        """Nothing is pooled."""

    def _search(self, notification_id: str) -> Found | None:
        query = {"limit": "1", "query": f"unique_args['{NOTIFICATION_ARG}']=\"{notification_id}\""}
        try:
            answer = self._client.client.messages.get(query_params=query, timeout=self._socket_seconds)
            found = json.loads(answer.body)["messages"]
            return Found(_FOUND[found[0]["status"]], str(found[0]["msg_id"])) if found else None
        except HTTPError as error:
            status = int(error.status_code)
            is_final = status < 500 and status != 429
            raise SearchRefused(f"SendGrid's activity feed answered {status}", is_final=is_final) from error
        except (OSError, http.client.HTTPException) as error:
            raise SearchRefused(f"SendGrid was not reached: {error}", is_final=False) from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise SearchRefused(f"SendGrid's activity feed is of another form: {error!r}", is_final=True) from error

    def _post(self, body: object) -> str | None:
        try:
            answer = self._client.client.mail.send.post(request_body=body, timeout=self._socket_seconds)
        except HTTPError as error:
            raise _refusal(error) from error
        except urllib.error.URLError as error:
            raise _unreached(error.reason) from error
        except TimeoutError as error:
            raise NotSent("SendGrid did not answer in time", ambiguous=True) from error
        except (OSError, http.client.HTTPException) as error:
            raise NotSent(f"SendGrid cut the connection: {type(error).__name__}", ambiguous=True) from error
        message_id = answer.headers.get("X-Message-Id")
        return None if message_id is None else str(message_id)


def _body(mail: Mail, notification_id: str) -> object:
    message = SendGridMail(mail.sender, mail.recipient, mail.subject, mail.plain, mail.html)
    for name, value in mail.headers.items():
        message.add_header(Header(name, value))
    message.add_custom_arg(CustomArg(NOTIFICATION_ARG, notification_id))
    # A rewritten link hides where it leads, and a log line's anchor does not survive it everywhere.
    message.tracking_settings = TrackingSettings(
        click_tracking=ClickTracking(enable=False, enable_text=False), open_tracking=OpenTracking(enable=False)
    )
    return message.get()


def _refusal(error: HTTPError) -> NotSent:
    status = int(error.status_code)
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body)
    reason = f"SendGrid answered {status} {' '.join(body.split())[:300]}".strip()
    if status == 429:
        return NotSent(reason, retry_after_seconds=retry_after_seconds(error.headers, "X-RateLimit-Reset"))
    # SendGrid has no idempotency key: a 5xx may come from behind the point where the mail was taken.
    return NotSent(reason, permanent=status < 500, ambiguous=status >= 500)


def _unreached(cause: object) -> NotSent:
    """urllib raises URLError while it connects and sends; a mail is small, so a timeout there means no connection."""
    surely_not_sent = (ConnectionRefusedError, TimeoutError, socket.gaierror, ssl.SSLError)
    return NotSent(f"SendGrid was not reached: {cause}", ambiguous=not isinstance(cause, surely_not_sent))


def _open(settings: Settings, _: Projects) -> Channel | None:
    key = credential(settings.sendgrid_api_key)
    if not settings.notification_email or not key:
        return None
    return SendGridChannel(key, settings.notification_email, settings.sendgrid_host, links=links_of(settings))


SENDGRID = registration(_open)
