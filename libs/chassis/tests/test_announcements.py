"""The mailbox of a listener: how a reader learns of what it never received."""

import asyncio

from build_chassis.bus.announcements import Mailbox
from build_chassis.bus.contract import Announcement


async def test_a_reader_is_notified_at_once_of_what_an_outage_cost() -> None:
    """After a build's last message none may follow for hours: who missed it must not wait for the next."""
    mailbox = Mailbox(10)
    reader = aiter(mailbox)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)

    mailbox.miss()

    assert Announcement("", b"", missed=True) == await asyncio.wait_for(waiting, 1)


async def test_what_follows_a_gap_says_so_itself() -> None:
    """One word is enough where there is something to read."""
    mailbox = Mailbox(10)
    mailbox.miss()
    mailbox.put(Announcement("a", b"1"))
    mailbox.put(Announcement("a", b"2"))
    mailbox.close()

    assert [(b"1", True), (b"2", False)] == [(found.body, found.missed) async for found in mailbox]
