"""What waits for an admin is on every page, with what to do, and is ended there."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_chassis.bus import Outgoing
from build_chassis.bus.embedded import EmbeddedBus
from build_gateway.keys import Keys
from build_gateway.restored import hold_back
from build_gateway.store import open_store as open_gateway
from build_history.store import open_store as open_history
from build_protocol.clock import DAY_MS, now_ms
from build_testkit.apart import run_apart
from build_testkit.stack import Stack, embedded_stack
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def prepare(data: Path) -> None:
    """A system that was off for five days, restored from a backup, with messages that three services cannot read."""
    gateway = open_gateway(f"sqlite:///{data / 'gateway'}.sqlite")
    await gateway.open()
    keys = Keys(gateway, lambda event: asyncio.sleep(0), lambda: now_ms() / 1000)
    await keys.create("nightly", created_by="admin")
    await hold_back(gateway, confirmed=False)
    await gateway.close()
    history = open_history(f"sqlite:///{data / 'history'}.sqlite")
    await history.open()
    await history.note_time("shown", now_ms() - 5 * DAY_MS)
    await history.note_time("agreed", now_ms() - 5 * DAY_MS)
    await history.close()
    bus = EmbeddedBus(data / "bus.sqlite")
    await bus.open()
    await bus.publish([Outgoing("3.BUILD_VERDICT.mlir", body, {}) for body in (b"not JSON", b"<b>neither</b>")])
    await bus.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The system as `prepare` leaves it, started."""
    (tmp_path / "data").mkdir()
    run_apart(prepare(tmp_path / "data"))
    with embedded_stack(tmp_path) as stack:
        yield stack


def test_an_admin_ends_what_waits(page: Page) -> None:
    """The bar names each thing; a clock is agreed to, a key confirmed, messages are read, replayed and dropped."""
    bar = page.get_by_test_id("notice-bar")
    for words in (
        "6 messages are set aside",
        "0 people, 1 keys",
        "retention of history is stopped: the clock is 5 days",
    ):
        expect(bar).to_contain_text(words)
    bar.click()
    held = page.locator("[data-testid=notice][data-kind=retention]")
    expect(held).to_contain_text("clock adopt")
    page.get_by_role("button", name="The clock is right").click()
    page.get_by_role("dialog").get_by_role("button", name="The clock is right").click()
    expect(held).to_have_count(0)

    parked = page.get_by_test_id("parked")
    expect(parked).to_have_count(6)
    expect(parked.first).to_contain_text("waits for an admin")
    parked.first.get_by_text("What it says").click()
    expect(parked.first.locator("pre")).to_contain_text(re.compile("not JSON|<b>neither</b>"))
    for left in (5, 4):
        parked.first.get_by_role("button", name="Drop").click()
        page.get_by_role("dialog").get_by_role("button", name="Drop").click()
        expect(parked).to_have_count(left)
    with page.expect_response(re.compile("/api/parking/[^/]+/replay")) as replayed:
        parked.first.get_by_role("button", name="Replay", exact=True).click()
    assert {"replayed": 1} == replayed.value.json()

    page.goto("/settings")
    key = page.get_by_test_id("key").filter(has_text="nightly")
    expect(key).to_contain_text("On hold since a restore")
    key.get_by_role("button", name="Confirm").click()
    expect(key).to_contain_text("Active")
    expect(bar).not_to_contain_text("on hold")
