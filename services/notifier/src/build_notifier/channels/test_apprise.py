"""Rooms: Apprise at a real HTTP server on this machine."""

from collections.abc import Callable

import pytest
from build_testkit.web import Web

from build_notifier.channels.apprise import AppriseChannel
from build_notifier.channels.contract import NotSent
from build_notifier.records.notification import Notification

pytestmark = pytest.mark.slow  # a second of imports: Apprise knows a hundred services

Claim = Callable[..., Notification]


async def test_a_room_is_notified_through_apprise(web: Web, claim: Claim) -> None:
    """Title and text arrive; the URL is found by the room's name."""
    web.routes["POST /hook"] = (200, {})
    channel = AppriseChannel(lambda project, name: web.url.replace("http", "json") + "/hook")

    await channel.send(claim(channel="apprise", recipient="json:abc"))

    ((_, _, body),) = web.seen
    assert body["title"].startswith("[p] main is broken on release")
    assert "Suspects: 1 commit" in body["message"]


@pytest.mark.parametrize(
    ("status", "permanent", "ambiguous"), [(404, True, False), (429, False, False), (500, False, True)]
)
async def test_a_room_that_refuses_shows_whether_trying_again_helps(
    web: Web, claim: Claim, *, status: int, permanent: bool, ambiguous: bool
) -> None:
    """By the status Apprise met."""
    web.routes["POST /hook"] = (status, {})
    channel = AppriseChannel(lambda project, name: web.url.replace("http", "json") + "/hook")

    with pytest.raises(NotSent) as caught:
        await channel.send(claim(channel="apprise"))

    assert (permanent, ambiguous) == (caught.value.permanent, caught.value.ambiguous)


async def test_a_room_that_is_gone_from_the_config_is_final(claim: Claim) -> None:
    """The name leads nowhere any more."""
    with pytest.raises(NotSent, match="no longer has the room") as caught:
        await AppriseChannel(lambda project, name: None).send(claim(channel="apprise", recipient="json:abc"))

    assert caught.value.permanent
