"""SMTP: mails through any mail server, one connection each."""

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate

import aiosmtplib
from build_chassis.projects import Projects
from typing_extensions import override

from build_notifier.channels.contract import Channel, NotSent
from build_notifier.channels.mail import Mail, links_of, mail_of, registration
from build_notifier.messages.actions import NO_LINKS, ActionLinks
from build_notifier.records.notification import Notification
from build_notifier.settings import Settings, credential

SEND_SECONDS = 50.0
IMPLICIT_TLS_PORT = 465


@dataclass(frozen=True, slots=True)
class Server:
    """Where the mail server is, and who we are there."""

    host: str
    port: int = 587
    username: str = ""
    password: str = ""
    use_tls: bool = True


class SmtpChannel(Channel):
    """The channel `mail`, by SMTP."""

    def __init__(
        self, server: Server, sender: str, send_seconds: float = SEND_SECONDS, links: ActionLinks = NO_LINKS
    ) -> None:
        self._server = server
        self._sender = sender
        self._links = links
        self._send_seconds = send_seconds

    @override
    async def send(self, notification: Notification) -> str | None:
        """Send the mail; its Message-ID."""
        message = _message(mail_of(notification, self._sender, self._links))
        is_under_way = asyncio.Event()
        try:
            async with asyncio.timeout(self._send_seconds):
                await self._deliver(message, is_under_way)
        except aiosmtplib.SMTPResponseException as error:
            # A server that answers has not taken the mail: 5yz for good, 4yz for now.
            raise NotSent(
                f"the mail server answered {error.code} {error.message}"[:400], permanent=error.code >= 500
            ) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise NotSent(f"the mail server failed: {reason}"[:400], ambiguous=is_under_way.is_set()) from error
        return str(message["Message-ID"])

    @override
    async def close(self) -> None:
        """Nothing is pooled."""

    async def _deliver(self, message: EmailMessage, is_under_way: asyncio.Event) -> None:
        server = self._server
        is_implicit = server.use_tls and server.port == IMPLICIT_TLS_PORT
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=is_implicit,
            start_tls=server.use_tls and not is_implicit,
            timeout=self._send_seconds,
        )
        try:
            await client.connect()
            await client.mail(str(message["From"]))
            await client.rcpt(str(message["To"]))
            is_under_way.set()  # from here on the server may have taken it although its answer never arrives
            await client.data(message.as_bytes(policy=SMTP_POLICY))
        finally:
            client.close()


def _message(mail: Mail) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"], message["To"], message["Subject"] = mail.sender, mail.recipient, mail.subject
    message["Date"] = formatdate(localtime=False)
    for name, value in mail.headers.items():
        message[name] = value
    message.set_content(mail.plain)
    message.add_alternative(mail.html, subtype="html")
    return message


def _open(settings: Settings, _: Projects) -> Channel | None:
    if not settings.notification_email or not settings.smtp_host:
        return None
    password = credential(settings.smtp_password)
    server = Server(settings.smtp_host, settings.smtp_port, settings.smtp_username, password, use_tls=settings.smtp_tls)
    return SmtpChannel(server, settings.notification_email, links=links_of(settings))


SMTP = registration(_open)
