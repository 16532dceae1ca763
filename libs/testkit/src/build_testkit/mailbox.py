"""A real SMTP server that keeps what it takes: for tests only."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from build_testkit.stack import free_port


class Mailbox:
    """What an SMTP server took, and what it answers: a reply to RCPT; after DATA a reply, `hang` or `cut`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.messages: list[EmailMessage] = []
        self.rcpt = self.data = "250 OK"

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take the recipient, or not."""
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Keep the mail, and answer as the test wants it."""
        self.messages.append(BytesParser(policy=default).parsebytes(envelope.original_content or b""))
        if self.data == "hang":
            await asyncio.Event().wait()
        if self.data == "cut":
            assert isinstance(server.transport, asyncio.Transport)  # noqa: S101  or there is nothing to cut
            server.transport.abort()
        return self.data


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A running mail server, gone with the context."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop(no_assert=True)
